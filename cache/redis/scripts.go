package redis

import (
	"crypto/sha1" // #nosec G505 -- the name that Redis gives a script
	"embed"
	"encoding/hex"

	"signal-server/custerrors"
)

// script is one operation, which the server runs in one step.
type script struct {
	text    string
	sha     string // what EVALSHA calls it by
	changes bool   // it writes or takes, and so must not run when its time is over
}

// newScript puts a script together. Each part is the name of a file that holds Lua, or Lua itself.
func newScript(parts ...string) *script {
	var text string
	for _, part := range parts {
		if file, err := lua.ReadFile("lua/" + part + ".lua"); err == nil {
			part = string(file)
		}
		text += part
	}
	sum := sha1.Sum([]byte(text)) // #nosec G401 -- as Redis does; nothing is secured by it
	return &script{text: text, sha: hex.EncodeToString(sum[:])}
}

//go:embed lua/*.lua
var lua embed.FS

// change is newScript for one that writes or takes.
func change(parts ...string) *script {
	sc := newScript(parts...)
	sc.changes = true
	return sc
}

// How the scripts are put together.
var (
	scriptWrite = change("seen", "session", "late", "write", "renew", "written", "answer", "fetch", answerAll)
	scriptRead  = newScript(get, "session", "gone", "renew", "read", "answer", "fetch", answerAll)
	scriptTake  = change("seen", "session", "late", "gone", "renew", "take", "fetch", "taken")
	scriptTouch = newScript(get, "session", "gone", "renew", "touch")
	scriptEnd   = change(get, "session", "late", "gone", "end")
)

const (
	get       = "local m = redis.call('HGET', KEYS[1], 'm')\n"
	answerAll = "table.insert(v, 1, cursor)\nreturn v\n"
)

// epochs is what a script adds to an epoch that it answers with as a number. Smaller numbers are refusals.
const epochs = 16

const (
	codeNotFound = 1
	codeOverrun  = 9
)

// refusals are the errors of the contract, by the number that a script answers with: see session.lua.
var refusals = [...]error{
	nil,
	codeNotFound: custerrors.KeyNotFound,
	custerrors.KeyIsExpired,
	custerrors.SdpNoValues,
	custerrors.CandidateNoValues,
	custerrors.SdpAlreadyExist,
	custerrors.QueueIsFull,
	custerrors.BodyIsTooLong,
	custerrors.CursorIsInvalid,
	codeOverrun: custerrors.CacheOverrunMaxCost,
	custerrors.IdempotencyKeyIsReused,
}
