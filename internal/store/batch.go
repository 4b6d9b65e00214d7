package store

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// batch builds a JSON array of arrays: many rows in one parameter, the same on both databases.
type batch struct {
	text []byte
	rows int
	cell bool
}

func (b *batch) row() *batch {
	if b.rows == 0 {
		b.text = append(b.text, '[')
	} else {
		b.text = append(b.text, ']', ',')
	}
	b.text = append(b.text, '[')
	b.rows++
	b.cell = false
	return b
}

func (b *batch) comma() {
	if b.cell {
		b.text = append(b.text, ',')
	}
	b.cell = true
}

func (b *batch) bytes(v []byte) *batch {
	b.comma()
	if v == nil {
		b.text = append(b.text, "null"...)
		return b
	}
	b.text = append(b.text, '"')
	b.text = hex.AppendEncode(b.text, v)
	b.text = append(b.text, '"')
	return b
}

func (b *batch) str(v string) *batch {
	b.comma()
	for i := range len(v) {
		if c := v[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			encoded, _ := json.Marshal(v) // a string cannot fail
			b.text = append(b.text, encoded...)
			return b
		}
	}
	b.text = append(b.text, '"')
	b.text = append(b.text, v...)
	b.text = append(b.text, '"')
	return b
}

func (b *batch) num(v int64) *batch {
	b.comma()
	b.text = strconv.AppendInt(b.text, v, 10)
	return b
}

// when adds an instant; 0 becomes null.
func (b *batch) when(v instant) *batch {
	if v == 0 {
		return b.null()
	}
	return b.num(int64(v))
}

// strOrNull adds a text; "" becomes null.
func (b *batch) strOrNull(v string) *batch {
	if v == "" {
		return b.null()
	}
	return b.str(v)
}

func (b *batch) null() *batch {
	b.comma()
	b.text = append(b.text, "null"...)
	return b
}

// values adds what bulk rows are made of.
func (b *batch) values(row []any) {
	for _, v := range row {
		switch v := v.(type) {
		case []byte:
			b.bytes(v)
		case string:
			b.str(v)
		case int64:
			b.num(v)
		default:
			b.null()
		}
	}
}

// json returns the parameter.
func (b *batch) json() string {
	if b.rows == 0 {
		return "[]"
	}
	return string(b.text) + "]]"
}
