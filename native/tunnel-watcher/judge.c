/* When the program is to be run. No clock and no socket here: what is decided can be tested with numbers. */
#include "watch.h"

#include <string.h>

const char *const REASON_WORDS[] = {"none", "stale", "silent", "clock", "network", "wake"};

/* A keepalive, which is not answered: an empty data packet of WireGuard (its paper, section 5.4.6). */
#define KEEPALIVE_BYTES 32
/* A peer that wants a handshake sends this, and nothing else, as long as none of our packets arrives there (section 5.4.2). Data
 * packets have other lengths. */
#define INITIATION_BYTES 148
/* A tunnel with a keepalive repeats its handshake every two minutes; after three its keys are useless. */
#define STALE_MS (160 * 1000)
/* How long packets may stay without an answer. WireGuard answers one-way traffic after ten seconds only, so this grows with false
 * alarms; beyond fifteen seconds WireGuard itself begins a handshake. */
#define PATIENCE_MIN_MS 750
#define PATIENCE_MAX_MS 16000
/* Between two runs for a tunnel that stays silent. */
#define RETRY_MIN_MS 5000
#define RETRY_MAX_MS (300 * 1000)
/* Between two runs for events; a quiet minute forgives. */
#define EVENT_MIN_MS 1000
#define EVENT_MAX_MS 30000
#define QUIET_MS 60000
/* A change of network comes in many messages. */
#define SETTLE_MS 200
#define SETTLE_MAX_MS 2000
/* How often tunnels are read: while nothing happens, and while packets go out. */
#define IDLE_MS 1000
#define BUSY_MS 250

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

void judge_begin(struct judge *judge) {
  memset(judge, 0, sizeof *judge);
  judge->retry_delay = RETRY_MIN_MS;
  judge->event_delay = EVENT_MIN_MS;
  judge->patience = PATIENCE_MIN_MS;
}

void judge_tunnels(struct judge *judge, const struct network *network) {
  struct tunnel_state kept[MAX_TUNNELS] = {0};
  for (size_t i = 0; i < network->tunnel_count; i++) {
    memcpy(kept[i].name, network->tunnels[i].name, sizeof kept[i].name);
    for (size_t old = 0; old < judge->tunnel_count; old++) {
      if (strcmp(judge->tunnels[old].name, kept[i].name) == 0) kept[i] = judge->tunnels[old];
    }
  }
  memcpy(judge->tunnels, kept, sizeof kept);
  judge->tunnel_count = network->tunnel_count;
}

void judge_event(struct judge *judge, enum reason reason, int64_t now) {
  if (judge->pending == REASON_NONE) judge->pending_since = now;
  if (reason > judge->pending) judge->pending = reason;
  judge->pending_due = smaller(now + SETTLE_MS, judge->pending_since + SETTLE_MAX_MS);
}

void judge_traffic(struct judge *judge, size_t tunnel, const struct traffic *traffic, int64_t now) {
  struct tunnel_state *state = &judge->tunnels[tunnel];
  const struct traffic *last = &state->last;
  if (!state->known || traffic->received < last->received || traffic->sent < last->sent) {
    /* A new interface, or a peer that was added again: it is counted from here. */
    state->known = true;
    state->handshake_at = now;
    state->unanswered = 0;
    state->busy = true;
  } else {
    uint64_t sent = traffic->sent - last->sent;
    if (traffic->handshake != last->handshake) state->handshake_at = now;
    if ((traffic->received - last->received) % INITIATION_BYTES != 0) {
      state->unanswered = 0;
      if (judge->running == REASON_NONE) {
        judge->retry_at = 0;
        judge->retry_delay = RETRY_MIN_MS;
      }
    } else if (sent > KEEPALIVE_BYTES) {
      if (state->unanswered == 0) state->unanswered_since = now;
      if (state->unanswered < 1000) state->unanswered++;
    }
    state->busy = sent > KEEPALIVE_BYTES || state->unanswered > 0;
  }
  state->last = *traffic;
}

static enum reason seen_at_tunnels(const struct judge *judge, int64_t now) {
  enum reason reason = REASON_NONE;
  for (size_t i = 0; i < judge->tunnel_count; i++) {
    const struct tunnel_state *state = &judge->tunnels[i];
    if (!state->known) continue;
    if (state->unanswered >= 2 && now - state->unanswered_since >= judge->patience) return REASON_SILENT;
    if (state->last.keepalive && now - state->handshake_at >= STALE_MS) reason = REASON_STALE;
  }
  return reason;
}

enum reason judge_decide(struct judge *judge, int64_t now) {
  enum reason reason = REASON_NONE;
  if (judge->running != REASON_NONE || judge->tunnel_count == 0) return REASON_NONE;
  if (now >= judge->retry_at) reason = seen_at_tunnels(judge, now);
  if (judge->pending > reason && now >= judge->pending_due && now >= judge->event_at) {
    reason = judge->pending;
    judge->event_delay =
        now - judge->event_at > QUIET_MS ? EVENT_MIN_MS : smaller(judge->event_delay * 2, EVENT_MAX_MS);
    judge->event_at = now + judge->event_delay;
    /* Another network, another moment: what was learned in the last one does not hold. */
    judge->retry_delay = RETRY_MIN_MS;
    judge->patience = PATIENCE_MIN_MS;
  }
  if (reason == REASON_NONE) return REASON_NONE;
  judge->pending = REASON_NONE;
  judge->running = reason;
  for (size_t i = 0; i < judge->tunnel_count; i++) judge->before[i] = judge->tunnels[i].last;
  return reason;
}

void judge_ended(struct judge *judge, int64_t now) {
  if (judge->running == REASON_NONE) return;
  for (size_t i = 0; i < judge->tunnel_count; i++) {
    struct tunnel_state *state = &judge->tunnels[i];
    const struct traffic *before = &judge->before[i];
    bool alive = state->last.handshake == before->handshake && state->last.received > before->received;
    if (judge->running == REASON_SILENT && alive) judge->patience = smaller(judge->patience * 2, PATIENCE_MAX_MS);
    /* Only what is seen from now on counts. */
    state->unanswered = 0;
  }
  judge->running = REASON_NONE;
  judge->retry_at = now + judge->retry_delay;
  judge->retry_delay = smaller(judge->retry_delay * 2, RETRY_MAX_MS);
}

int64_t judge_wait(const struct judge *judge, int64_t now) {
  int64_t wait = judge->tunnel_count == 0 ? -1 : IDLE_MS;
  if (judge->running != REASON_NONE || judge->tunnel_count == 0) return wait;
  for (size_t i = 0; i < judge->tunnel_count; i++) {
    if (judge->tunnels[i].busy && judge->retry_at <= now) wait = BUSY_MS;
  }
  if (judge->pending == REASON_NONE) return wait;
  return smaller(wait, larger(0, larger(judge->pending_due, judge->event_at) - now));
}
