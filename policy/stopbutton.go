package policy

import "strings"

// stopButton begins the payload of every stop button.
const stopButton = "permesso:stop:"

// StopButtonPayload returns the payload that makes a quick reply the stop button of a campaign.
func StopButtonPayload(campaign string) string { return stopButton + "v1:" + campaign }

// ParseStopButton reads a button's payload; ok reports whether it is of a stop button. A stop button whose campaign cannot
// be read, from another version, is still one: campaign is then "", and the stop is of everything.
func ParseStopButton(payload string) (campaign string, ok bool) {
	rest, ok := strings.CutPrefix(payload, stopButton)
	if !ok {
		return "", false
	}
	campaign, _ = strings.CutPrefix(rest, "v1:")
	if campaign == rest {
		return "", true
	}
	return campaign, true
}
