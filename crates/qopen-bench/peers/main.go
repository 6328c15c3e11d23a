// A receiver as it is usually written with net/http: verify, decrypt, parse, keep by id.
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
)

type envelope struct {
	AppKey          string `json:"app_key"`
	Nonce           string `json:"nonce"`
	Timestamp       string `json:"timestamp"`
	Signature       string `json:"signature"`
	EncodingContent string `json:"encoding_content"`
}

type field struct {
	Name  string `json:"field_name"`
	Value string `json:"field_value"`
}

type tag struct {
	Parent string `json:"parent_tag_name"`
	Name   string `json:"tag_name"`
}

type account struct {
	ID               string `json:"account_id"`
	Type             int    `json:"account_type"`
	DeletedByContact bool   `json:"deleted_by_contact"`
	DeletedByStaff   bool   `json:"deleted_by_staff"`
	Profile          struct {
		Name           string `json:"name"`
		Gender         int    `json:"gender"`
		Avatar         string `json:"avatar"`
		Alias          string `json:"alias"`
		Phone          string `json:"phone"`
		AddAt          int64  `json:"add_at"`
		AddWay         int    `json:"add_way"`
		UnionID        string `json:"union_id"`
		ExternalUserID string `json:"external_user_id"`
		StateCode      string `json:"state_code"`
		ChannelName    string `json:"channel_name"`
		Desc           string `json:"desc"`
	} `json:"profile"`
	SysFields []field `json:"user_attr_sys_field_list"`
	Fields    []field `json:"user_attr_field_list"`
	Tags      []tag   `json:"tag_info_list"`
}

type page struct {
	EventType int    `json:"event_type"`
	ErrCode   int    `json:"err_code"`
	ErrMsg    string `json:"err_msg"`
	RobotID   string `json:"robot_id"`
	Data      struct {
		HasMore  bool      `json:"has_more"`
		MarkID   string    `json:"mark_id"`
		Accounts []account `json:"account_list"`
	} `json:"data"`
}

var (
	token    = os.Getenv("BENCH_TOKEN")
	key      = []byte(os.Getenv("BENCH_AES_KEY"))
	mutex    sync.Mutex
	accounts = map[string]account{}
)

func callback(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "body", http.StatusBadRequest)
		return
	}
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, "envelope", http.StatusBadRequest)
		return
	}
	values := []string{e.AppKey, token, e.Nonce, e.Timestamp, e.EncodingContent}
	sort.Strings(values)
	sum := md5.Sum([]byte(strings.Join(values, "")))
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(e.Signature)) != 1 {
		http.Error(w, "signature", http.StatusUnauthorized)
		return
	}
	plain, err := base64.StdEncoding.DecodeString(e.EncodingContent)
	if err != nil || len(plain) == 0 || len(plain)%aes.BlockSize != 0 {
		http.Error(w, "content", http.StatusBadRequest)
		return
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		http.Error(w, "key", http.StatusInternalServerError)
		return
	}
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, plain)
	plain = plain[:len(plain)-int(plain[len(plain)-1])]
	var p page
	if err := json.Unmarshal(plain, &p); err != nil {
		http.Error(w, "payload", http.StatusBadRequest)
		return
	}
	mutex.Lock()
	for _, a := range p.Data.Accounts {
		accounts[a.ID] = a
	}
	mutex.Unlock()
	io.WriteString(w, "success")
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s/callback\n", listener.Addr())
	http.HandleFunc("/callback", callback)
	panic(http.Serve(listener, nil))
}
