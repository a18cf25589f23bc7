package policyv1

import "github.com/hashicorp/go-plugin"

// PluginName is the name under which a plugin serves its policy.
const PluginName = "policy"

// ProtocolVersion is the version of the protocol that this package speaks.
const ProtocolVersion = 1

// MaxPluginReceive is the largest message that a plugin has to receive, in bytes: the
// configuration with a trained artefact.
const MaxPluginReceive = 64 << 20

// MaxReason is the longest reason of a decision or an alternative, and the longest summary
// of a training, in bytes.
const MaxReason = 4096

// MaxArtefact is the largest artefact of a training, in bytes: as a part of Config it has
// to fit into MaxPluginReceive.
const MaxArtefact = 60 << 20

// LifelineEnv names the variable that tells a plugin the number of a file
// descriptor: the read end of a pipe whose write end its host holds and never
// writes to. The pipe ends when the host does, however it ended; a plugin exits then.
const LifelineEnv = "WINDVANE_PLUGIN_LIFELINE"

// Handshake is what host and plugin show each other first. The cookie is no
// secret: it tells a plugin that a host started it, and not a person.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  ProtocolVersion,
		MagicCookieKey:   "WINDVANE_PLUGIN",
		MagicCookieValue: "windvane.policy.v1",
	}
}
