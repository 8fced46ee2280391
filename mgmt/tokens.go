package mgmt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"strings"
)

// tokens turns names and passwords into tokens that are worth as much, but can be read
// by this API only, and only until it ends: the key is nowhere else.
type tokens struct{ seal cipher.AEAD }

const (
	// tokenPrefix marks a token that stands for a name and a password.
	tokenPrefix = "rmqe."
	// tokenPurpose keeps the key from being good for anything else.
	tokenPurpose = "rabbit-mgmt-credentials-v1"
)

func newTokens() *tokens {
	key := make([]byte, 32)
	rand.Read(key)                  // never fails
	block, _ := aes.NewCipher(key)  // the key has the right length
	seal, _ := cipher.NewGCM(block) // and the block
	return &tokens{seal}
}

// issue returns a token for a name and a password. The name has no colon, as in HTTP's
// basic authentication.
func (t *tokens) issue(name, password string) string {
	nonce := make([]byte, t.seal.NonceSize())
	rand.Read(nonce)
	sealed := t.seal.Seal(nonce, nonce, []byte(name+":"+password), []byte(tokenPurpose))
	return tokenPrefix + base64.StdEncoding.EncodeToString(sealed)
}

// open is the way back; false if the token is not one of these.
func (t *tokens) open(token string) (name, password string, ok bool) {
	text, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return "", "", false
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(sealed) < t.seal.NonceSize() {
		return "", "", false
	}
	plain, err := t.seal.Open(nil, sealed[:t.seal.NonceSize()], sealed[t.seal.NonceSize():], []byte(tokenPurpose))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(plain), ":")
}
