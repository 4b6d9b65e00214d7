package phone

import (
	"sync"
	"sync/atomic"
)

// Locator is Locate for a whole file: it remembers what it found out about the first digits of numbers. No plan looks at
// more than the first few digits of a number and at its length (planDigits), so that whoever has those in common with a number
// that was judged is judged with it, at a tenth of the cost. It may be used by many goroutines; the zero value is ready.
type Locator struct {
	known sync.Map // locatorKey to the country of numbers that the plan has as they are written
	size  atomic.Int32
}

// locatorKey is the first digits of a number, as a number, and how many it has in all.
type locatorKey struct {
	first  uint64
	digits int
}

// locatorSize bounds the memory: 65,536 beginnings are some 6 MB.
const locatorSize = 1 << 16

// Locate is the package's Locate.
func (l *Locator) Locate(raw, region string) (n Number, country string, err error) {
	n, ok := asWritten(raw)
	if !ok {
		return Locate(raw, region)
	}
	if region != "" && !CountryKnown(region) {
		return "", "", ErrRegion
	}
	key := keyOf(n)
	if country, known := l.known.Load(key); known {
		return n, country.(string), nil
	}
	found, country, err := Locate(raw, region)
	// A form that only WhatsApp uses is judged by another form of the number, and so is the country of one that is not canonical.
	if err == nil && found == n && n == n.Canonical() && n.valid() && l.size.Load() < locatorSize {
		if _, twice := l.known.LoadOrStore(key, country); !twice {
			l.size.Add(1)
		}
	}
	return found, country, err
}

// asWritten returns a number that is written with its plus.
func asWritten(raw string) (Number, bool) {
	digits, plus, err := reduce(raw)
	if err != nil || !plus {
		return "", false
	}
	n := Number("+" + digits)
	return n, n.wellFormed()
}

func keyOf(n Number) locatorKey {
	digits := string(n[1:])
	code := callingCodeLength(digits)
	key := locatorKey{digits: len(digits)}
	looked := len(digits)
	if plan, known := planDigits[digits[:code]]; known {
		looked = min(looked, code+max(1, int(plan[digits[code]-'0']-'0')))
	}
	for _, c := range digits[:looked] {
		key.first = key.first*10 + uint64(c-'0')
	}
	return key
}
