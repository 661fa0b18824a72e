package custerrors

//go:generate go run ./readme . ../README.md
