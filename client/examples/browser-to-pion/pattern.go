package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
)

// pattern is four seconds of a moving test pattern in VP8, 320 × 240 at 15 frames a second. Its first frame is a key frame. This
// made it:
//
//	ffmpeg -f lavfi -i testsrc2=size=320x240:rate=15:duration=4 -c:v libvpx -b:v 120k -g 60 -keyint_min 60 \
//	  -auto-alt-ref 0 -lag-in-frames 0 -error-resilient 1 -an pattern.ivf
//
//go:embed pattern.ivf
var pattern []byte

// addPattern adds a video track to pc.
func addPattern(pc *webrtc.PeerConnection) (*webrtc.TrackLocalStaticSample, error) {
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "pattern")
	if err != nil {
		return nil, err
	}
	if _, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		return nil, err
	}
	return track, nil
}

// showPattern sends the pattern over and over until ctx ends. A browser that has lost packets gets the next key frame within four
// seconds.
func showPattern(ctx context.Context, track *webrtc.TrackLocalStaticSample) error {
	for ctx.Err() == nil {
		if err := showOnce(ctx, track); err != nil {
			return err
		}
	}
	return nil
}

func showOnce(ctx context.Context, track *webrtc.TrackLocalStaticSample) error {
	reader, header, err := ivfreader.NewWith(bytes.NewReader(pattern))
	if err != nil {
		return fmt.Errorf("reading the pattern: %w", err)
	}
	frame := time.Duration(header.TimebaseNumerator) * time.Second / time.Duration(header.TimebaseDenominator)
	clock := time.NewTicker(frame)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
		case <-ctx.Done():
			return nil
		}
		data, _, err := reader.ParseNextFrame()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the pattern: %w", err)
		}
		if err := track.WriteSample(media.Sample{Data: data, Duration: frame}); err != nil {
			return fmt.Errorf("sending the pattern: %w", err)
		}
	}
}
