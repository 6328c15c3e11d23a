// Opens each test vector: go run callback.go vectors.go ../envelopes.json
package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name, Token    string
			Body           *string
			BodyBase64     []byte `json:"body_base64"`
			AppKey         string `json:"app_key"`
			EncodingAESKey string `json:"encoding_aes_key"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		log.Fatal(err)
	}
	for _, it := range file.Cases {
		body := it.BodyBase64
		if it.Body != nil {
			body = []byte(*it.Body)
		}
		payload, err := OpenCallback(body, it.AppKey, it.Token, it.EncodingAESKey)
		result := fmt.Sprintf("%x", sha256.Sum256(payload))
		for _, reason := range []error{ErrMalformed, ErrAppKey, ErrSignature, ErrUndecryptable} {
			if errors.Is(err, reason) {
				result, err = "refused: "+reason.Error(), nil
			}
		}
		if err != nil {
			log.Fatal(it.Name, ": ", err)
		}
		fmt.Printf("%s\t%s\n", it.Name, result)
	}
}
