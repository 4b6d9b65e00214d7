package store

import "encoding/json"

// audienceDialect is what the two databases do not share in the conditions of an audience.
type audienceDialect struct {
	// attribute reads an attribute of contact c as text, NULL when there is none; its key is in a parameter.
	attribute func(placeholder string) string
	// key is the parameter for an attribute's name.
	key func(name string) string
	// pieces is the table e, with a column value, of the tags of contact c.
	pieces string
	// bytewise, after a text, has it compared by its bytes.
	bytewise string
}

var postgresAudience = audienceDialect{
	attribute: func(placeholder string) string {
		return "CAST(c.attributes AS jsonb) ->> CAST(" + placeholder + " AS TEXT)"
	},
	key:      func(name string) string { return name },
	pieces:   "unnest(string_to_array(c.tags, ';')) AS e(value)",
	bytewise: ` COLLATE "C"`,
}

var sqliteAudience = audienceDialect{
	attribute: func(placeholder string) string { return "c.attributes ->> " + placeholder },
	// A path is matched as JSON writes the key.
	key: func(name string) string {
		quoted, _ := json.Marshal(name) // a string cannot fail
		return "$." + string(quoted)
	},
	// There is no function that splits; the list becomes the JSON of an array.
	pieces: `json_each('["' || replace(replace(replace(c.tags, '\', '\\'), '"', '\"'), ';', '","') || '"]') AS e`,
}
