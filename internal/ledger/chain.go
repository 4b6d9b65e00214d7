// Package ledger owns the form of the consent ledger: how events are chained, what a checkpoint says, and what a verification finds.
package ledger

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/permesso/permesso/policy"
)

// Link binds an event to all before it in its chain: HMAC-SHA256 over the link before and what the event says.
type Link [sha256.Size]byte

// SecretSize is how long the secret of a Key is, in bytes.
const SecretSize = 32

// KeyID tells keys apart; it is no secret. It is the beginning of the SHA-256 of the key that checks its signatures.
type KeyID [8]byte

// String is the id in hexadecimal digits.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// Key makes and checks links, and signs checkpoints. It is kept outside the database: who can only write there can make no link.
// The zero Key makes nothing.
type Key struct {
	ID   KeyID
	link []byte
	sign ed25519.PrivateKey
}

// NewKey derives a key from a secret of SecretSize random bytes.
func NewKey(secret []byte) Key {
	part := func(purpose string) []byte {
		key, err := hkdf.Key(sha256.New, secret, nil, "permesso/consents/"+purpose, SecretSize)
		if err != nil {
			panic(err) // only a length beyond SHA-256's is an error
		}
		return key
	}
	k := Key{link: part("links"), sign: ed25519.NewKeyFromSeed(part("checkpoints"))}
	sum := sha256.Sum256(k.Public())
	k.ID = KeyID(sum[:])
	return k
}

// Public checks the signatures of the key's checkpoints, and can make none.
func (k Key) Public() ed25519.PublicKey { return k.sign.Public().(ed25519.PublicKey) }

// Entry is an event as it enters a chain. Times are microseconds since 1970 UTC, as the database has them.
type Entry struct {
	Event          policy.EventID
	Person         policy.PersonID
	At, RecordedAt int64
	Category       string
	Action         policy.Action
	Source         string
	Business       string
	Language       string
	Actor          string
	Wording        []byte // SHA-256 of the text; nil where there is none
	Personal       []byte // what the personal part enters as; nil where there is none
}

// Personal is the part of an event that an erasure takes away.
type Personal struct{ Evidence, IP, Agent string }

// Empty reports whether there is none.
func (p Personal) Empty() bool { return p == Personal{} }

// Sealer makes links with one key. It is for one goroutine.
type Sealer struct {
	mac  hash.Hash
	text []byte
}

// Sealer returns one for the key.
func (k Key) Sealer() *Sealer {
	return &Sealer{mac: hmac.New(sha256.New, k.link), text: make([]byte, 0, 512)}
}

// Link is the link of an event that comes after prev, the zero Link for the first of a chain. Each part has its length before it,
// so that no two events have one text.
func (s *Sealer) Link(prev Link, e *Entry) (link Link) {
	text := append(s.text[:0], prev[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(e.Event))
	text = append(text, e.Person[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(e.At))
	text = binary.BigEndian.AppendUint64(text, uint64(e.RecordedAt))
	text = part(text, e.Category)
	text = part(text, string(e.Action))
	text = part(text, e.Source)
	text = part(text, e.Business)
	text = part(text, e.Language)
	text = part(text, e.Actor)
	text = part(text, e.Wording)
	text = part(text, e.Personal)
	s.text = text
	s.mac.Reset()
	s.mac.Write(text)
	s.mac.Sum(link[:0])
	return link
}

// SaltSize is how long a salt is: nobody guesses one.
const SaltSize = 16

// Personal is what the personal part enters a chain as: SHA-256 over a salt and the part, which tells nothing once both are gone. It
// takes no key, so that whoever erases needs none.
func (s *Sealer) Personal(salt []byte, p Personal) [sha256.Size]byte {
	text := part(s.text[:0], salt)
	text = part(text, p.Evidence)
	text = part(text, p.IP)
	text = part(text, p.Agent)
	s.text = text
	return sha256.Sum256(text)
}

func part[T string | []byte](text []byte, v T) []byte {
	text = binary.AppendUvarint(text, uint64(len(v)))
	return append(text, v...)
}
