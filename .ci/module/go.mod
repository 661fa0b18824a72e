// Module module renames the others. It is a module of its own so that the server is not built with it.
module signal-server/ci/module

go 1.26.0

require golang.org/x/mod v0.43.0
