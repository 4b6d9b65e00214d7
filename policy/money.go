package policy

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
)

// Micros is an amount of money in millionths of its currency's unit: prices have up to six decimals, and are never rounded.
type Micros int64

const (
	microDigits = 6
	oneUnit     = 1_000_000
)

// ErrAmount says that a text is no amount of money.
var ErrAmount = errcode.With(errors.New("an amount is digits with at most six decimals after a point, such as 0.0691"), errcode.InvalidBudget)

// ParseMicros reads an amount of 0 or more, such as 500 or 0.0691, without rounding anything.
func ParseMicros(text string) (Micros, error) {
	whole, decimals, point := strings.Cut(text, ".")
	if !onlyDigits(whole) || point && !onlyDigits(decimals) || len(decimals) > microDigits {
		return 0, ErrAmount
	}
	units, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || units > math.MaxInt64/oneUnit-1 {
		return 0, fmt.Errorf("%w: this one is too large", ErrAmount)
	}
	parts, err := strconv.ParseInt((decimals + "000000")[:microDigits], 10, 64)
	if err != nil {
		return 0, ErrAmount
	}
	return Micros(units*oneUnit + parts), nil
}

func onlyDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// String writes the amount exactly, with two decimals at least: 500.00, 0.0691.
func (m Micros) String() string {
	sign := ""
	units, parts := int64(m)/oneUnit, int64(m)%oneUnit
	if m < 0 {
		sign, units, parts = "-", -units, -parts
	}
	decimals := fmt.Sprintf("%06d", parts)
	for len(decimals) > 2 && strings.HasSuffix(decimals, "0") {
		decimals = decimals[:len(decimals)-1]
	}
	return sign + strconv.FormatInt(units, 10) + "." + decimals
}

// MarshalJSON writes the amount as a number, exactly.
func (m Micros) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Micros) UnmarshalJSON(text []byte) error {
	read, err := ParseMicros(string(text))
	*m = read
	return err
}

// Plus adds two amounts; ok is false when the sum is too large to be told.
func (m Micros) Plus(other Micros) (sum Micros, ok bool) {
	if other > 0 && m > math.MaxInt64-other {
		return 0, false
	}
	return m + other, true
}

// Times is the price of so many messages; ok is false when it is too large to be told.
func (m Micros) Times(n int) (cost Micros, ok bool) {
	if n > 0 && m > math.MaxInt64/Micros(n) {
		return 0, false
	}
	return m * Micros(n), true
}

// Money is an amount in a currency (ISO 4217).
type Money struct {
	Currency string `json:"currency"`
	Amount   Micros `json:"amount"`
}

// String writes it for people: 500.00 EUR.
func (m Money) String() string { return m.Amount.String() + " " + m.Currency }
