package turn

import "github.com/pion/logging"

// silent makes pion log nothing: what it says is of single packets and users, whatever the level.
type silent struct{}

// NewLogger implements logging.LoggerFactory.
func (s silent) NewLogger(string) logging.LeveledLogger { return s }

func (silent) Trace(string)          {}
func (silent) Tracef(string, ...any) {}
func (silent) Debug(string)          {}
func (silent) Debugf(string, ...any) {}
func (silent) Info(string)           {}
func (silent) Infof(string, ...any)  {}
func (silent) Warn(string)           {}
func (silent) Warnf(string, ...any)  {}
func (silent) Error(string)          {}
func (silent) Errorf(string, ...any) {}
