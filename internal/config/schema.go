package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// SchemaFile is the name under which the schema lies beside a configuration that permesso writes.
const SchemaFile = "config.schema.json"

// SchemaLine is the comment by which editors find the schema at path, relative to the file whose first line it is. A
// file of campaigns that another one includes names the part SchemaIncluded of the same schema.
func SchemaLine(path string) string { return "# yaml-language-server: $schema=" + path }

// SchemaIncluded is the part of the schema that describes an included file of campaigns.
const SchemaIncluded = "#/$defs/included"

const (
	schemaDialect = "https://json-schema.org/draft/2020-12/schema"
	schemaTitle   = "Configuration of permesso"
)

// Schema returns the JSON Schema (draft 2020-12) of config.yaml, made from the keys that Load reads by. It takes every
// file that Load takes; what it cannot see, such as a campaign that names an unknown category, only Load refuses. Of the
// draft it uses what editors of the earlier draft-07 understand as well, and a word that other readers ignore:
// patternErrorMessage.
func Schema() ([]byte, error) {
	defs := []property{{"config", rootKeys.node()}, {"included", includedFile()}}
	for _, s := range sections() {
		if s.path != rootKeys.path {
			defs = append(defs, property{s.def(), s.node()})
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(node{
		Schema: schemaDialect, Title: schemaTitle,
		Description: "config.yaml, as this version of permesso reads it; `permesso check` also finds what a schema cannot see.",
		// A bare $ref here would reach into the part that an included file names: editors merge the two.
		AnyOf: []node{{Ref: reference("config")}},
		Defs:  defs,
	}); err != nil {
		return nil, fmt.Errorf("writing the schema of the configuration: %w", err)
	}
	return text.Bytes(), nil
}

// IsSchema reports whether text is a schema that some version of permesso wrote.
func IsSchema(text []byte) bool {
	var head struct {
		Title string `json:"title"`
	}
	return json.Unmarshal(text, &head) == nil && head.Title == schemaTitle
}

func reference(def string) string { return "#/$defs/" + def }

// def names the section in the schema.
func (s section) def() string { return strings.NewReplacer("[]", "", ".*", "").Replace(s.path) }

// node is the schema of a section's mapping.
func (s section) node() node {
	n := node{Type: "object", Description: s.says, AdditionalProperties: no{}}
	for _, k := range s.keys {
		n.Properties = append(n.Properties, property{k.name, k.node()})
		if k.required {
			n.Required = append(n.Required, k.name)
		}
	}
	n.OneOf = s.choices()
	if s.filled {
		n.MinKeys = 1
	}
	return n
}

// choices says that exactly one of the section's alternatives is there, and nothing that belongs to another of them.
func (s section) choices() []node {
	var choices []node
	for _, name := range s.oneOf {
		choice := node{Required: []string{name}}
		if s.beside != "" && name != s.besideOnly {
			choice.Not = &node{Required: []string{s.beside}}
		}
		choices = append(choices, choice)
	}
	return choices
}

func (k key) node() node {
	n := k.form.schema
	n.Description, n.Default = k.says, k.fallback
	return n
}

// includedFile is a mapping with campaigns and nothing else, or the list alone.
func includedFile() node {
	campaigns, _ := rootKeys.key("campaigns")
	return node{
		Title: "Campaigns of permesso", Description: "A file of campaigns that config.yaml includes.",
		AnyOf: []node{includedKeys.node(), campaigns.node()},
	}
}

// node is one schema, in the order in which its keywords are read best.
type node struct {
	Schema       string     `json:"$schema,omitempty"`
	Title        string     `json:"title,omitempty"`
	Description  string     `json:"description,omitempty"`
	Ref          string     `json:"$ref,omitempty"`
	Type         string     `json:"type,omitempty"`
	Const        any        `json:"const,omitempty"`
	Enum         []string   `json:"enum,omitempty"`
	Pattern      string     `json:"pattern,omitempty"`
	Minimum      *int       `json:"minimum,omitempty"`
	Maximum      *int       `json:"maximum,omitempty"`
	Above        *int       `json:"exclusiveMinimum,omitempty"`
	Items        *node      `json:"items,omitempty"`
	MinItems     int        `json:"minItems,omitempty"`
	UniqueItems  bool       `json:"uniqueItems,omitempty"`
	MinKeys      int        `json:"minProperties,omitempty"`
	KeyNames     *node      `json:"propertyNames,omitempty"`
	Properties   properties `json:"properties,omitempty"`
	Required     []string   `json:"required,omitempty"`
	AllOf        []node     `json:"allOf,omitempty"`
	AnyOf        []node     `json:"anyOf,omitempty"`
	OneOf        []node     `json:"oneOf,omitempty"`
	Not          *node      `json:"not,omitempty"`
	Default      any        `json:"default,omitempty"`
	Defs         properties `json:"$defs,omitempty"`
	PatternError string     `json:"patternErrorMessage,omitempty"`

	AdditionalProperties any `json:"additionalProperties,omitempty"` // a node, or no
}

// no is the schema that nothing fits.
type no struct{}

// MarshalJSON writes false.
func (no) MarshalJSON() ([]byte, error) { return []byte("false"), nil }

// property is one name with its schema; properties keep the order of the table.
type property struct {
	name string
	node node
}

type properties []property

// MarshalJSON writes an object.
func (p properties) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	for i, it := range p {
		text.WriteByte("{,"[min(i, 1)])
		if err := encoder.Encode(it.name); err != nil {
			return nil, fmt.Errorf("the name of %s: %w", it.name, err)
		}
		text.WriteByte(':')
		if err := encoder.Encode(it.node); err != nil {
			return nil, fmt.Errorf("the schema of %s: %w", it.name, err)
		}
	}
	text.WriteByte('}')
	return slices.Clip(text.Bytes()), nil
}
