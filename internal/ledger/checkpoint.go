package ledger

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Head is the last event of a chain at some moment.
type Head struct {
	Chain uint32
	Seq   int64
	Link  Link
	Key   KeyID // the key that its links are made with
}

// headJSON is a head in a checkpoint.
type headJSON struct {
	Chain string `json:"chain"`
	Seq   int64  `json:"seq"`
	Link  string `json:"link"`
	Key   string `json:"key"`
}

// MarshalJSON writes numbers as people compare them: in hexadecimal.
func (h Head) MarshalJSON() ([]byte, error) {
	return json.Marshal(headJSON{fmt.Sprintf("%08x", h.Chain), h.Seq, hex.EncodeToString(h.Link[:]), h.Key.String()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Head) UnmarshalJSON(text []byte) error {
	var form headJSON
	if err := json.Unmarshal(text, &form); err != nil {
		return err
	}
	chain, err := strconv.ParseUint(form.Chain, 16, 31)
	if err != nil || form.Seq < 0 {
		return errLine
	}
	h.Chain, h.Seq = uint32(chain), form.Seq
	return errors.Join(fill(h.Link[:], form.Link), fill(h.Key[:], form.Key))
}

func fill(into []byte, text string) error {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(into) {
		return errLine
	}
	copy(into, raw)
	return nil
}

// Checkpoint is what a line of the checkpoint file says: where every chain of the ledger stood. It is signed, outside the database,
// so that what was taken from the end of a chain, or the whole of it, is missed. It is Ed25519 and not a keyed hash, so that a copy
// of the file can be checked by somebody who can make none.
type Checkpoint struct {
	Line     int64     `json:"n"` // from 1 on
	At       time.Time `json:"at"`
	Instance string    `json:"instance"` // the installation
	Heads    []Head    `json:"heads"`    // by chain
	// Accepted says who took the ledger as it stood for what is left of it, and why: the database was put back from a backup. What
	// earlier checkpoints have beyond these heads was lost with it. "" in any other line.
	Accepted string `json:"accepted,omitempty"`
	Before   string `json:"before"` // SHA-256 of the line before, "" in the first
	Public   string `json:"public"` // the key that checks the signature
}

// Events is how many events all chains have.
func (c Checkpoint) Events() (n int64) {
	for _, h := range c.Heads {
		n += h.Seq
	}
	return n
}

// Key is the id of the key that signed.
func (c Checkpoint) Key() KeyID {
	raw, _ := hex.DecodeString(c.Public) // ParseLine has read it
	sum := sha256.Sum256(raw)
	return KeyID(sum[:])
}

// errLine says that a line is not one that this package wrote.
var errLine = errors.New("the line is not whole")

// Line writes a checkpoint that comes after another line, nil for the first: the signature in base64, a space, and the JSON that it signs.
func (k Key) Line(c Checkpoint, before []byte) ([]byte, error) {
	c.Before, c.Public = HashLine(before), hex.EncodeToString(k.Public())
	slices.SortFunc(c.Heads, func(a, b Head) int { return cmp.Compare(a.Chain, b.Chain) })
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	line := base64.StdEncoding.AppendEncode(nil, ed25519.Sign(k.sign, text))
	return append(append(line, ' '), text...), nil
}

// HashLine is what the next line says of a line; "" of none.
func HashLine(line []byte) string {
	if line == nil {
		return ""
	}
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// ParseLine reads a line without its end. The signature is looked at by Signed.
func ParseLine(line []byte) (c Checkpoint, err error) {
	_, text, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return c, errLine
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, errLine
	}
	if public, err := hex.DecodeString(c.Public); err != nil || len(public) != ed25519.PublicKeySize || c.Line < 1 || c.At.IsZero() {
		return c, errLine
	}
	return c, nil
}

// Signed reports whether the line, which ParseLine has read, is signed by the key that it names.
func Signed(line []byte, c Checkpoint) bool {
	sig, text, _ := bytes.Cut(line, []byte(" "))
	public, err := hex.DecodeString(c.Public)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(string(sig))
	return err == nil && ed25519.Verify(public, text, raw)
}

// Follows reports whether heads that were read later can come after these: no chain is shorter or gone, and none of the same length
// has another link.
func (c Checkpoint) Follows(later []Head) bool {
	at := make(map[uint32]Head, len(later))
	for _, h := range later {
		at[h.Chain] = h
	}
	for _, h := range c.Heads {
		next, there := at[h.Chain]
		if h.Seq > 0 && !there || next.Seq < h.Seq || next.Seq == h.Seq && h.Seq > 0 && next.Link != h.Link {
			return false
		}
	}
	return true
}

// Same reports whether the heads are those of the checkpoint.
func (c Checkpoint) Same(heads []Head) bool {
	had := make(map[Head]bool, len(c.Heads))
	for _, h := range c.Heads {
		had[h] = true
	}
	for _, h := range heads {
		if !had[h] {
			return false
		}
	}
	return len(heads) == len(c.Heads)
}
