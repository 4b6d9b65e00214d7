package templates

// Message is what a campaign wants to say: a template, the languages it may be said in, and what fills its variables.
type Message struct {
	Template string `json:"template"`
	// Languages are Meta's codes in order of preference; a recipient gets the first they read, else the first.
	Languages  []string   `json:"languages"`
	Parameters Parameters `json:"parameters,omitzero"`
}

// Parameters fill a template's variables. Body holds positional values in order, Named those of a template with named
// parameters; at most one of the two is set. Buttons are keyed by their index in the template, from 0.
type Parameters struct {
	HeaderText  *Value           `json:"header_text,omitempty"`
	HeaderMedia *Media           `json:"header_media,omitempty"`
	Body        []Value          `json:"body,omitempty"`
	Named       map[string]Value `json:"named,omitempty"`
	Buttons     map[int]Value    `json:"buttons,omitempty"`
}

// Value is one variable's content: a fixed Text, or a Field of the recipient with an optional Default,
// or, for quick-reply buttons, a Payload. The payload "opt_out" makes the button the stop button. Page is for URL buttons: the
// button leads to the recipient's own page, and Page is the address that all of them begin with.
type Value struct {
	Text    *string `json:"text,omitempty"`
	Field   string  `json:"field,omitempty"`
	Default *string `json:"default,omitempty"`
	Payload *string `json:"payload,omitempty"`
	Page    string  `json:"page,omitempty"`
}

// PageField is the field of a Recipient that ends the link to their own page.
const PageField = "page"

// Media is a header's image, video or document: either a public Link or an uploaded ID.
type Media struct {
	Format   string `json:"format"` // image, video or document
	Link     string `json:"link,omitempty"`
	ID       string `json:"id,omitempty"`
	Filename string `json:"filename,omitempty"` // documents only
}

// Recipient answers for the fields of one person: name, external_id, language, country, attributes.x.
// ok is false when there is no value; an empty text is no value.
type Recipient interface {
	Field(name string) (value string, ok bool)
}

// OptOutPayload is the payload in a campaign's YAML that makes a quick reply the stop button.
const OptOutPayload = "opt_out"
