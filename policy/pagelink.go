package policy

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// PageLinkLife is how long the link to a person's own page opens it. A message may be read weeks after it was sent, and a link
// that leaked should not open the page for ever.
const PageLinkLife = 90 * 24 * time.Hour

// PagePath is where the people's own pages are on the webhook's listener (CONTRACT §5); a link's token stands behind it.
const PagePath = "/p/"

// Why a page's token does not open it.
var (
	ErrForgedLink  = errors.New("the link was not made by this installation, or is not whole")
	ErrExpiredLink = errors.New("the link is older than its life")
)

// PageLinks makes and reads the tokens in the links to people's own pages. A token is 48 characters of URL-safe base64:
// a version, the hour at which it ends, the person's id encrypted, and an HMAC over all of it. It holds nothing that tells who it
// is for, and nobody without the installation's key can make one. Its methods are safe for concurrent use.
type PageLinks struct {
	id   cipher.Block // an id is one block, and random enough to need no mode
	sign [sha256.Size]byte
	form [sha256.Size]byte
}

const (
	pageLinkVersion = 1
	pageLinkHead    = 1 + 3 + len(PersonID{})
	pageLinkSum     = 16
	pageLinkBytes   = pageLinkHead + pageLinkSum
	// longestToken is beyond what is looked at; every token has the same length.
	longestToken = pageLinkBytes / 3 * 4
)

// NewPageLinks returns the links of the installation whose key this is. The key itself is not kept: other things hang on it.
func NewPageLinks(key []byte) *PageLinks {
	derive := func(purpose string) [sha256.Size]byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("permesso page " + purpose))
		return [sha256.Size]byte(mac.Sum(nil))
	}
	secret := derive("person")
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic(fmt.Sprintf("policy: page links: %v", err)) // of 32 bytes it never fails
	}
	return &PageLinks{id: block, sign: derive("sign"), form: derive("form")}
}

// Token is what opens the person's page until that hour is over.
func (l *PageLinks) Token(person PersonID, until time.Time) string {
	var raw [pageLinkBytes]byte
	hour := (until.Unix() + 3599) / 3600
	raw[0], raw[1], raw[2], raw[3] = pageLinkVersion, byte(hour>>16), byte(hour>>8), byte(hour)
	l.id.Encrypt(raw[4:pageLinkHead], person[:])
	copy(raw[pageLinkHead:], l.sum(raw[:pageLinkHead]))
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Read returns whose page a token opens. The error is ErrForgedLink, or ErrExpiredLink when it once opened it.
func (l *PageLinks) Read(token string, now time.Time) (PersonID, error) {
	if len(token) != longestToken {
		return PersonID{}, ErrForgedLink
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != pageLinkBytes {
		return PersonID{}, ErrForgedLink
	}
	if !hmac.Equal(raw[pageLinkHead:], l.sum(raw[:pageLinkHead])) || raw[0] != pageLinkVersion {
		return PersonID{}, ErrForgedLink
	}
	until := (int64(raw[1])<<16 | int64(raw[2])<<8 | int64(raw[3])) * 3600
	if now.Unix() >= until {
		return PersonID{}, ErrExpiredLink
	}
	var person PersonID
	l.id.Decrypt(person[:], raw[4:pageLinkHead])
	return person, nil
}

func (l *PageLinks) sum(head []byte) []byte {
	mac := hmac.New(sha256.New, l.sign[:])
	mac.Write(head)
	return mac.Sum(nil)[:pageLinkSum]
}

// Seal is what a form carries to show that it was made here, for these very parts: another site cannot make one up, and a form
// whose words are no longer what would be recorded does not fit.
func (l *PageLinks) Seal(parts ...string) string {
	mac := hmac.New(sha256.New, l.form[:])
	for _, part := range parts {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:pageLinkSum])
}

// Sealed reports, in constant time, whether a form's seal is that of these parts.
func (l *PageLinks) Sealed(seal string, parts ...string) bool {
	return hmac.Equal([]byte(seal), []byte(l.Seal(parts...)))
}
