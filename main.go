// Command signal-server is an HTTP signaling server for WebRTC: two peers that share a key exchange an offer, an answer and
// trickled ICE candidates through it, and then talk directly.
//
// The program is package app; here stands only the head of the API's description.
//
//	@title			signal-server
//	@version		1.0
//	@description	An HTTP signaling server for WebRTC. Two peers share a random key; through it they exchange an offer, an answer and
//	@description	trickled ICE candidates. Every answer is `{"msg":"","data":null}`: an empty msg means that the request produced
//	@description	what was asked for; otherwise msg is one of the fixed texts that the README lists.
//	@license.name	MIT
//	@BasePath		/
//	@tag.name		messages
//	@tag.description	One request each way, nothing lost
//	@tag.name		classic
//	@tag.description	One payload a request; what is taken is gone
//	@tag.name		operation
//	@tag.description	Health, and how connections ended
package main

import (
	"os"

	"signal-server/app"
)

func main() { os.Exit(app.Run(os.Args[1:])) }
