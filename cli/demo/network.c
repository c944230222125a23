/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of packets in the order in which they arrive; see network.h. */
#include "cli/demo/network.h"

#include "cli/demo/media.h"

/* So many frames later a lost or changed frame is sent again: about 70 ms, a round trip. */
#define RESEND_AFTER 8u
/* The same for a copy that somebody plays again. */
#define REPEAT_AFTER 20u
/* And for a frame that took a slow way: late enough to arrive under a key that is no longer sent under. */
#define DELAY_BY 24u

typedef enum Fate {
        FATE_LOSE,
        FATE_ALTER,
        FATE_REPEAT,
        FATE_DELAY,
} Fate;

/* Where in its stream, in thousandths, something happens to a frame. The delayed ones stand right before the
 * ratchet step and the rotation. */
static const struct Mishap {
        size_t stream;
        unsigned at;
        Fate fate;
        const char *verb;
} mishaps[] = {
        { MEDIA_OPUS, 120, FATE_LOSE, "loses" },
        { MEDIA_VP8, 205, FATE_LOSE, "loses" },
        { MEDIA_VP8, 300, FATE_ALTER, "flips a bit of" },
        { MEDIA_H264, 345, FATE_LOSE, "loses" },
        { MEDIA_H264, 410, FATE_REPEAT, "keeps a copy of" },
        { MEDIA_OPUS, 495, FATE_DELAY, "holds back" },
        { MEDIA_VP8, 605, FATE_LOSE, "loses" },
        { MEDIA_OPUS, 695, FATE_DELAY, "holds back" },
        { MEDIA_OPUS, 860, FATE_LOSE, "loses" },
};

struct Network {
        Packet *first; /* by due, in order of sending where that is equal */
        uint64_t n_sent;
        size_t n_frames[MEDIA_KINDS];
        NetworkCounts counts[MEDIA_KINDS];
};

int network_new(Network **ret, const size_t *n_frames, size_t n_streams) {
        Network *network;

        if (n_streams > MEDIA_KINDS)
                return -EINVAL;
        network = calloc(1, sizeof(*network));
        if (!network)
                return -ENOMEM;
        memcpy(network->n_frames, n_frames, n_streams * sizeof(*n_frames));
        *ret = network;
        return 0;
}

Network *network_free(Network *network) {
        if (!network)
                return NULL;
        while (network->first) {
                Packet *packet = network->first;

                network->first = packet->next;
                free(packet);
        }
        free(network);
        return NULL;
}

static int put(Network *network, const Packet *facts, const void *bytes) {
        Packet **link = &network->first, *packet = malloc(sizeof(*packet) + facts->len);

        if (!packet)
                return -ENOMEM;
        *packet = *facts;
        memcpy(packet->bytes, bytes, facts->len);
        /* The bit lies in the middle: in the encrypted part of any frame that is longer than its header. */
        if (packet->altered)
                packet->bytes[packet->len / 2] ^= 0x10;
        while (*link && (*link)->due <= packet->due)
                link = &(*link)->next;
        packet->next = *link;
        *link = packet;
        return 0;
}

static const struct Mishap *find_mishap(const Network *network, size_t stream, size_t frame) {
        for (size_t i = 0; i < ELEMENTS(mishaps); i++)
                if (mishaps[i].stream == stream && network->n_frames[stream] * mishaps[i].at / 1000 == frame)
                        return &mishaps[i];
        return NULL;
}

static int put_resent(Network *network, const Packet *facts, const void *bytes) {
        Packet packet = *facts;

        packet.due += RESEND_AFTER;
        packet.history = "sent again";
        network->counts[packet.stream].resent++;
        return put(network, &packet, bytes);
}

int network_send(Network *network, size_t stream, size_t frame, const void *bytes, size_t len, const char **ret_fate) {
        const struct Mishap *mishap = find_mishap(network, stream, frame);
        Packet packet = { .due = ++network->n_sent, .stream = stream, .frame = frame, .len = len };
        NetworkCounts *counts = &network->counts[stream];
        int r;

        *ret_fate = mishap ? mishap->verb : NULL;
        if (!mishap)
                return put(network, &packet, bytes);
        switch (mishap->fate) {
        case FATE_LOSE:
                counts->lost++;
                return put_resent(network, &packet, bytes);
        case FATE_ALTER:
                counts->altered++;
                r = put_resent(network, &packet, bytes);
                packet.altered = true;
                packet.history = "changed";
                return r < 0 ? r : put(network, &packet, bytes);
        case FATE_REPEAT:
                counts->repeated++;
                r = put(network, &packet, bytes);
                packet.repeated = true;
                packet.history = "a second time";
                packet.due += REPEAT_AFTER;
                return r < 0 ? r : put(network, &packet, bytes);
        default: /* FATE_DELAY */
                counts->delayed++;
                packet.due += DELAY_BY;
                packet.history = "late";
                return put(network, &packet, bytes);
        }
}

void network_finish(Network *network) {
        network->n_sent = UINT64_MAX;
}

Packet *network_receive(Network *network) {
        Packet *packet = network->first;

        if (!packet || packet->due > network->n_sent)
                return NULL;
        network->first = packet->next;
        packet->next = NULL;
        return packet;
}

const NetworkCounts *network_counts(const Network *network, size_t stream) {
        return &network->counts[stream];
}
