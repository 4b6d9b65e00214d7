package config

import (
	"encoding/base64"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
)

const (
	// webhookSecret begins a secret that is written in base64 (Standard Webhooks 1.0.0, "Signature scheme").
	webhookSecret = "whsec_"
	// leastKey is the length from which such a key is long enough, in bytes (the same).
	leastKey = 24
)

func (l *loader) readNotify(root object) {
	l.cfg.Notify, l.notifySecret = readHook(root, "notify", &notifyKeys, "NOTIFY_SECRET", "https://ops.aurora.example/hook",
		"write the address that is to be told", "without it nobody can tell a notice from a forged one")
}

func (l *loader) readReplies(root object) {
	l.cfg.Replies, l.repliesSecret = readHook(root, "replies", &repliesKeys, "REPLIES_SECRET", "https://crm.aurora.example/whatsapp",
		"write the address that reads what people write", "without it nobody can tell a message from a forged one")
}

// readHook reads where signed webhooks go to; written is the secret as it stands there, of which the key is made.
func readHook(root object, key string, known *section, variable, example, wantURL, wantSecret string) (hook Notify, written Secret) {
	v, found := root.get(key)
	if !found {
		return hook, written
	}
	o, ok := v.object(*known)
	if !ok {
		return hook, written
	}
	if v, found := o.require("url", wantURL+", such as "+example); found {
		hook.URL, _ = v.exactAddress("an address such as " + example)
	}
	if v, found := o.require("secret", wantSecret+"; write ${"+variable+"}"); found {
		if secret, ok := v.secret(variable); ok {
			written, hook.Key = secret, v.webhookKey(secret)
		}
	}
	return hook, written
}

// webhookKey is what such a secret signs with: what stands behind whsec_, decoded, or the bytes of any other text.
func (v value) webhookKey(secret Secret) Secret {
	key := secret.Reveal()
	if coded, isCoded := strings.CutPrefix(key, webhookSecret); isCoded {
		decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(coded, "="))
		if err != nil || len(decoded) == 0 {
			v.fail(errcode.InvalidSecret, "what %s refers to begins with %s, and what follows is not base64: copy all of it again", v.name(), webhookSecret)
			return Secret{}
		}
		key = string(decoded)
	}
	if len(key) < leastKey {
		v.warn(errcode.ShortSecret, "what %s refers to is %d bytes long; a signature wants at least %d: `openssl rand -base64 32` makes them", v.name(), len(key), leastKey)
	}
	return NewSecret(key)
}
