// Package policy owns one question: may this message go to this person now?
package policy
