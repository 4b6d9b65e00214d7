package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a value that no log, error or JSON may show. Only Reveal gives it away.
type Secret struct{ value string }

const maskedSecret = "<secret>"

// NewSecret hides value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value itself, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

// String returns a mask.
func (s Secret) String() string { return maskedSecret }

// Format writes the mask under every verb.
func (s Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, maskedSecret) }

// LogValue gives slog the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(maskedSecret) }

// MarshalText gives JSON and everything else that encodes text the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(maskedSecret), nil }

// Equal reports whether both hide the same value.
func (s Secret) Equal(other Secret) bool { return s.value == other.value }
