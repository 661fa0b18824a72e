// Command signal-server is an HTTP signaling server for WebRTC: two peers that share a key exchange an offer, an answer and
// trickled ICE candidates through it, and then talk directly.
//
// The program is package app; here stands only the head of the API's description.
//
//	@title						signal-server
//	@version					1.0
//	@description				An HTTP signaling server for WebRTC. Two peers share a random key; through it they exchange an offer, an answer and
//	@description				trickled ICE candidates. Every answer is `{"msg":"","data":null}`: an empty msg means that the request produced
//	@description				what was asked for; otherwise msg is one of the fixed texts that each route lists.
//	@description
//	@description				To try it: **Authorize** with a key of your own making (and a token, where the server wants one), then
//	@description				`POST /offer/messages` as one peer and `GET /answer/messages` as the other.
//	@license.name				MIT
//	@BasePath					/
//	@tag.name					messages
//	@tag.description			One request each way, nothing lost
//	@tag.name					classic
//	@tag.description			One payload a request; what is taken is gone
//	@tag.name					operation
//	@tag.description			Health, ICE servers, and how connections ended
//	@securityDefinitions.apikey	key
//	@in							header
//	@name						key
//	@description				The session's key, which both peers know: 1 to 32 characters. It goes before a key that a route is given.
//	@securityDefinitions.apikey	token
//	@in							header
//	@name						Authorization
//	@description				A token, where the server wants one: `Bearer`, a space, and the token. This page adds what stands before the token.
//	@securityDefinitions.apikey	x-offer-ticket
//	@in							header
//	@name						X-Offer-Ticket
//	@description				The offerer's ticket, where the server has --role-tickets: the answer to its first sdp bears it.
//	@securityDefinitions.apikey	x-answer-ticket
//	@in							header
//	@name						X-Answer-Ticket
//	@description				The answerer's ticket, where the server has --role-tickets: the answer to its sdp bears it.
package main

import (
	"os"

	"signal-server/app"
)

func main() { os.Exit(app.Run(os.Args[1:])) }
