package call

// What bodies look like, for the Swagger document only: the hot path writes and reads them by hand.
//
//lint:file-ignore U1000 swag reads these types, the program does not

// envelope is every answer.
type envelope struct {
	// Empty: the request produced what was asked for. Otherwise one of the fixed texts that the README lists.
	Msg string `json:"msg" example:""`
	// What was asked for; null where there is nothing to return.
	Data any `json:"data"`
} // @name Envelope

// offer is the body of POST /offer/sdp.
type offer struct {
	// The text to relay, whatever it holds.
	Data string `json:"data" example:"v=0 …" binding:"required"`
	// Seconds. Absent, 0, negative or above the server's maximum: the maximum; below 1 s: 1 s.
	KeyTTL float64 `json:"key_ttl" example:"30"`
} // @name Offer

// post is the body of POST messages.
type post struct {
	SDP        string   `json:"sdp" example:"v=0 …"`
	Candidates []string `json:"candidates" example:"candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host"`
	// Seconds; only where the post opens the session.
	KeyTTL float64 `json:"key_ttl" example:"30"`
} // @name Post

// report is the body of POST outcome.
type report struct {
	Result string `json:"result" enums:"connected,failed" binding:"required"`
	// The type of the reporter's own candidate in the pair that was selected; only, and always, where the result is connected.
	CandidateType string `json:"candidate_type" enums:"host,srflx,prflx,relay"`
	// How long it took, in milliseconds, 0 or more. More than an hour counts as an hour.
	MS float64 `json:"ms" example:"1234" binding:"required"`
} // @name Outcome

// newsData is the data of an answer with messages.
type newsData struct {
	// Where to go on from: the next request's after.
	Next     string    `json:"next" example:"dGhpcyBpcyBh"`
	Messages []message `json:"messages"`
} // @name News

// message is one entry of a log.
type message struct {
	Type string `json:"type" enums:"sdp,candidate"`
	Data string `json:"data"`
} // @name Message
