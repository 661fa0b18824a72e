// Package program tests the program as its users have it: it is built once, started with flags and environment, and asked; and what
// the pages tell people to type is typed. It knows nothing of the program's inside.
package program
