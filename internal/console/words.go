package console

import (
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// badge is a state as a word, what it means, and the tone of its colour: good, busy, wait, bad or "" for still.
type badge struct {
	Word string
	Says string
	Tone string
}

var deliveryBadges = map[sender.State]badge{
	sender.Queued:    {Says: "waits for its turn, or for the time it is due", Tone: "busy"},
	sender.Sending:   {Says: "has passed every rule and is on its way to WhatsApp", Tone: "busy"},
	sender.Accepted:  {Says: "WhatsApp took it and has not reported yet", Tone: "busy"},
	sender.Held:      {Says: "WhatsApp took it and holds it to assess the quality of the template", Tone: "wait"},
	sender.Sent:      {Says: "left WhatsApp for the person’s phone", Tone: "good"},
	sender.Delivered: {Says: "reached the person’s phone", Tone: "good"},
	sender.Read:      {Says: "was opened by the person", Tone: "good"},
	sender.Failed:    {Says: "was refused by WhatsApp, at once or later", Tone: "bad"},
	sender.Skipped:   {Says: "a rule or an opt-out said no; the reason says which"},
	sender.Cancelled: {Says: "was closed by an operator before it left"},
	sender.Expired:   {Says: "its hours or its offer ended before it could leave"},
	sender.Unknown:   {Says: "the answer was lost: it may or may not have left, and is not sent again", Tone: "wait"},
}

var runBadges = map[scheduler.RunState]badge{
	scheduler.Planning:     {Says: "it is being counted and written down who may get it", Tone: "busy"},
	scheduler.Waiting:      {Says: "waits for an approval", Tone: "wait"},
	scheduler.Running:      {Says: "messages are leaving, or wait for the time they are due", Tone: "busy"},
	scheduler.Paused:       {Says: "nothing leaves until it is resumed", Tone: "wait"},
	scheduler.Done:         {Says: "nobody in it waits any more", Tone: "good"},
	scheduler.RunCancelled: {Says: "an operator ended it"},
	scheduler.Missed:       {Says: "its time passed while nothing was running", Tone: "bad"},
}

func deliveryBadge(s sender.State) badge {
	b := deliveryBadges[s]
	b.Word = string(s)
	return b
}

func runBadge(s scheduler.RunState) badge {
	b := runBadges[s]
	b.Word = string(s)
	return b
}
