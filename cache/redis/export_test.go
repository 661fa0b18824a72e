package redis

// TouchSHA is what EVALSHA calls the script of Touch by.
var TouchSHA = scriptTouch.sha
