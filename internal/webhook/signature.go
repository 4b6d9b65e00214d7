package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// signature is the HMAC-SHA256 of a raw body under the app secret, as Meta claims it.
type signature [sha256.Size]byte

// parseSignature reads the header X-Hub-Signature-256, "sha256=" and 64 hexadecimal digits (graph-api §4.2).
func parseSignature(header string) (signature, bool) {
	var s signature
	digits, ok := strings.CutPrefix(header, "sha256=")
	if !ok || len(digits) != hex.EncodedLen(len(s)) {
		return s, false
	}
	_, err := hex.Decode(s[:], []byte(digits))
	return s, err == nil
}

// proves reports whether one of the secrets signed exactly these bytes. It tries all of them, each in constant time, so
// that the time does not tell which one matched. An empty secret, which anyone could sign with, proves nothing.
func (s signature) proves(raw []byte, secrets []string) bool {
	proved := false
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(raw)
		var sum signature
		mac.Sum(sum[:0])
		if hmac.Equal(sum[:], s[:]) {
			proved = true
		}
	}
	return proved
}
