package ticket

// Config says whether roles have tickets. The zero Config means that they have none.
type Config struct {
	// RoleTickets makes the server give tickets, and ask for them.
	RoleTickets bool `name:"role-tickets" help:"Keep each role for whoever took it first."`

	// SecretFile has the secrets, one a line, MinSecret bytes or more each. If it is empty there is one random secret, which is good
	// in this process only.
	SecretFile string `name:"role-tickets-secret-file" secret:"" placeholder:"FILE" help:"Secrets that sign tickets, for many nodes."`
}

// Validate calls wrong for each mistake: with a pointer to the field, and with what is wrong in words that follow the field's name.
// An argument that points to another field stands for that field's name. Validate reads no file.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if !c.RoleTickets && c.SecretFile != "" {
		wrong(&c.SecretFile, "is for %v", &c.RoleTickets)
	}
}
