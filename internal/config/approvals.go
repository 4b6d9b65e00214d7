package config

import "github.com/permesso/permesso/internal/errcode"

func (l *loader) readApprovals(root object) {
	v, found := root.get("approvals")
	if !found {
		return
	}
	o, ok := v.object(approvalKeys)
	if !ok {
		return
	}
	v, found = o.require("above", "write how many people a run may write to before somebody else approves it; 0 is none")
	if !found {
		return
	}
	const want = "a whole number, 0 (every run) or more"
	above, ok := v.whole(want)
	switch {
	case ok && above < 0:
		v.fail(errcode.NumberOutOfRange, "above must be %s, not %d", want, above)
	case ok:
		l.cfg.ApproveAbove = &above
	}
}
