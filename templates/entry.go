package templates

import "encoding/json"

// Entry is one template as Meta lists it, raw and read.
type Entry struct {
	Raw      json.RawMessage
	Template Template
}
