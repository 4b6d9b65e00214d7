package templates

import "strings"

// LanguageFor returns the language in which a person who reads the given BCP 47 language gets the message.
func (m Message) LanguageFor(reads string) string { return chooseLanguage(reads, m.Languages) }

// chooseLanguage returns the first of the languages that the contact reads, else the first, "" when there are none.
// Contacts carry BCP 47 tags (pt-BR) and Meta's codes are written pt_BR; case and separator do not matter. A contact reads the language of
// their own region and the one without a region; another region's (pt_PT for pt-BR) only if there is neither.
func chooseLanguage(contactLanguage string, languages []string) string {
	if len(languages) == 0 {
		return ""
	}
	base, region := splitLanguage(contactLanguage)
	if base == "" {
		return languages[0]
	}
	sameBase := ""
	for _, language := range languages {
		b, r := splitLanguage(language)
		if b != base {
			continue
		}
		if r == region || r == "" || region == "" {
			return language
		}
		if sameBase == "" {
			sameBase = language
		}
	}
	if sameBase != "" {
		return sameBase
	}
	return languages[0]
}

// splitLanguage returns the language in lower case and the region in upper case, each "" when there is none. Scripts and variants are left out.
func splitLanguage(tag string) (base, region string) {
	base, rest, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(tag), "_", "-"), "-")
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "-")
		if len(part) == 1 {
			break // an extension: what follows is not a region
		}
		if len(part) == 2 || (len(part) == 3 && strings.Trim(part, "0123456789") == "") {
			region = strings.ToUpper(part)
			break
		}
	}
	return currentLanguage(strings.ToLower(base)), region
}

// currentLanguage replaces the codes that systems still write by those of Meta's list (BCP 47 registry, deprecated subtags; "no" is written nb by Meta).
func currentLanguage(base string) string {
	switch base {
	case "iw":
		return "he"
	case "in":
		return "id"
	case "no":
		return "nb"
	case "tl":
		return "fil"
	}
	return base
}
