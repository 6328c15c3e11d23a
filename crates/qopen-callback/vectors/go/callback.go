// Verifies and opens a callback of the qopen platform.
package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"sort"
	"strings"
	"unicode/utf8"
)

// The reasons of a refusal. Another error is about the key.
var (
	ErrMalformed     = errors.New("malformed")
	ErrAppKey        = errors.New("app_key")
	ErrSignature     = errors.New("signature")
	ErrUndecryptable = errors.New("undecryptable")
)

// OpenCallback returns the payload.
func OpenCallback(body []byte, appKey, token, encodingAESKey string) ([]byte, error) {
	key := []byte(encodingAESKey)
	if len(key) == 43 {
		// A wrong key has the wrong length, which aes.NewCipher refuses.
		key, _ = base64.StdEncoding.DecodeString(encodingAESKey + "=")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	var envelope map[string]json.RawMessage
	if !utf8.Valid(body) || json.Unmarshal(body, &envelope) != nil {
		return nil, ErrMalformed
	}
	values := make([]string, 5)
	for i, name := range []string{"app_key", "nonce", "timestamp", "encoding_content", "signature"} {
		raw := envelope[name]
		// A number keeps its digits: they are what the platform signed.
		if len(raw) > 0 && (raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9') {
			values[i] = string(raw)
		} else if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &values[i]) != nil {
			return nil, ErrMalformed
		}
	}
	content, signature := values[3], values[4]
	if values[0] != appKey {
		return nil, ErrAppKey
	}
	values[4] = token
	sort.Strings(values) // as bytes
	sum := md5.Sum([]byte(strings.Join(values, "")))
	expected := []byte(hex.EncodeToString(sum[:]))
	if subtle.ConstantTimeCompare(expected, []byte(signature)) != 1 {
		return nil, ErrSignature
	}
	plain, err := base64.StdEncoding.DecodeString(content)
	if err != nil || len(plain) == 0 || len(plain)%aes.BlockSize != 0 {
		return nil, ErrUndecryptable
	}
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, plain)
	last := plain[len(plain)-1:]
	padding := int(last[0])
	if padding < 1 || padding > 32 || !bytes.HasSuffix(plain, bytes.Repeat(last, padding)) {
		return nil, ErrUndecryptable
	}
	return plain[:len(plain)-padding], nil
}
