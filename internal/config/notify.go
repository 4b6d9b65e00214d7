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
	v, found := root.get("notify")
	if !found {
		return
	}
	o, ok := v.object(notifyKeys)
	if !ok {
		return
	}
	notify := &l.cfg.Notify
	if v, found := o.require("url", "write the address that is to be told, such as https://ops.aurora.example/hook"); found {
		notify.URL, _ = v.exactAddress("an address such as https://ops.aurora.example/hook")
	}
	if v, found := o.require("secret", "without it nobody can tell a notice from a forged one; write ${NOTIFY_SECRET}"); found {
		if secret, ok := v.secret("NOTIFY_SECRET"); ok {
			l.notifySecret = secret
			notify.Key = v.webhookKey(secret)
		}
	}
}

// webhookKey is what a secret of notify signs with: what stands behind whsec_, decoded, or the bytes of any other text.
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
