package policy

import (
	"encoding/hex"
	"fmt"
)

// PersonID is the key of one person, made by us: a phone cannot be the key, since there are people without one.
type PersonID [16]byte

// String returns 32 hexadecimal digits.
func (id PersonID) String() string { return hex.EncodeToString(id[:]) }

// ParsePersonID reads what String wrote.
func ParsePersonID(text string) (PersonID, error) {
	var id PersonID
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("person id %q: want 32 hexadecimal digits", text)
	}
	copy(id[:], raw)
	return id, nil
}
