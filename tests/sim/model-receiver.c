/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Receivers: what they hold of each sender, and which frames have to open with it. */
#include "tests/sim/model-internal.h"

static const ModelRules *rules_of(const Model *model, unsigned host) {
        return &model->senders[host].rules;
}

/* ---- what is held ---- */

/* Lowest step anybody stands at: what this host sends under, and where it stands with the others. */
static uint32_t lowest(const Model *model, unsigned host, uint32_t index) {
        const ModelSlot *own = &model->senders[host].slots[index];
        uint32_t low = own->step;

        for (unsigned k = 0; k < MODEL_HOSTS_MAX; k++) {
                const ModelView *view = &model->views[host][k];

                if (view->open && view->held[index].key == own->key)
                        low = MIN_OF(low, view->held[index].low);
        }
        return low;
}

void model_view_open(Model *model, unsigned host, unsigned sender, uint64_t now_usec) {
        ModelView *view = &model->views[host][sender];
        const ModelSender *own = &model->senders[host];

        *view = (ModelView){ .since_usec = now_usec };
        for (unsigned i = 0; own->rules.shared && i < MODEL_RING; i++) {
                const ModelSlot *slot = &own->slots[i];

                if (slot->key == 0)
                        continue;
                view->held[i] = (ModelHeld){ .key = slot->key,
                                             .low = model->floor[host][i],
                                             .high = lowest(model, host, i),
                                             .installed_usec = slot->installed_usec,
                                             .sequence = slot->sequence,
                                             .superseded_first_usec = slot->superseded_usec,
                                             .superseded_last_usec = slot->superseded_usec };
        }
        view->open = true;
}

void model_view_close(Model *model, unsigned host, unsigned sender) {
        model->views[host][sender] = (ModelView){ 0 };
}

bool model_view_is_open(const Model *model, unsigned host, unsigned sender) {
        return model->views[host][sender].open;
}

uint64_t model_view_since(const Model *model, unsigned host, unsigned sender) {
        return model->views[host][sender].since_usec;
}

static void supersede(ModelView *view, uint64_t sequence, uint64_t now_usec) {
        for (unsigned i = 0; i < MODEL_RING; i++) {
                ModelHeld *held = &view->held[i];

                if (held->key == 0 || held->sequence >= sequence)
                        continue;
                if (held->superseded_first_usec == 0)
                        held->superseded_first_usec = now_usec;
                if (held->superseded_last_usec == 0)
                        held->superseded_last_usec = now_usec;
        }
}

void model_supersede(Model *model, unsigned host, uint64_t sequence, uint64_t now_usec) {
        for (unsigned k = 0; k < MODEL_HOSTS_MAX; k++)
                if (model->views[host][k].open)
                        supersede(&model->views[host][k], sequence, now_usec);
}

/* ---- what lives ---- */

static uint64_t dies(const ModelRules *rules, const ModelHeld *held, uint64_t superseded_usec) {
        uint64_t at = USEC_INFINITY;

        if (rules->maximum_age_usec > 0)
                at = held->installed_usec + rules->maximum_age_usec + rules->grace_usec;
        if (superseded_usec > 0) {
                at = MIN_OF(at, MAX_OF(superseded_usec, held->good_usec) + rules->grace_usec);
                at = MIN_OF(at, superseded_usec + MAX_OF(rules->superseded_usec, rules->grace_usec));
        }
        return at;
}

static ModelVerdict alive(const ModelRules *rules, const ModelHeld *held, uint64_t now_usec) {
        if (held->key == 0 || now_usec >= dies(rules, held, held->superseded_last_usec))
                return MODEL_REFUSED;
        return now_usec < dies(rules, held, held->superseded_first_usec) ? MODEL_OPENS : MODEL_EITHER;
}

ModelVerdict model_alive(const Model *model, unsigned host, unsigned sender, uint32_t index, uint64_t now_usec) {
        return alive(rules_of(model, host), &model->views[host][sender].held[index], now_usec);
}

/* ---- what is handed over ---- */

static void hold(const ModelRules *rules, ModelHeld *held, uint32_t key, uint32_t step, uint64_t sequence,
                 uint64_t now_usec) {
        if (held->key == key && held->low == step && held->high == step &&
            alive(rules, held, now_usec) != MODEL_REFUSED) {
                held->superseded_first_usec = held->superseded_last_usec = 0; /* the same once more */
                return;
        }
        *held = (ModelHeld){ .key = key, .low = step, .high = step, .installed_usec = now_usec, .sequence = sequence };
}

void model_hand(Model *model, unsigned host, unsigned sender, uint32_t index, uint32_t key, uint32_t step,
                uint64_t now_usec) {
        ModelView *view = &model->views[host][sender];

        view->in_use = 0;
        hold(rules_of(model, host), &view->held[index], key, step, ++model->last_sequence, now_usec);
        model_note_holder(model, key, host);
}

void model_share(Model *model, unsigned host, uint32_t index, uint64_t now_usec) {
        const ModelSlot *slot = &model->senders[host].slots[index];

        model->floor[host][index] = slot->step;
        for (unsigned k = 0; k < MODEL_HOSTS_MAX; k++) {
                ModelView *view = &model->views[host][k];

                if (!view->open)
                        continue;
                view->in_use = 0;
                hold(rules_of(model, host), &view->held[index], slot->key, slot->step, slot->sequence, now_usec);
        }
}

/* ---- what opens ---- */

static ModelVerdict behind(const ModelHeld *held, uint32_t step, uint64_t now_usec) {
        for (unsigned i = 0; i < ELEMENTS(held->moves); i++) {
                const struct ModelMove *move = &held->moves[i];

                if (move->until_usec > now_usec && step >= move->first && step <= move->last)
                        return move->maybe ? MODEL_EITHER : MODEL_OPENS;
        }
        return MODEL_REFUSED;
}

static ModelVerdict where(const ModelRules *rules, const ModelHeld *held, uint32_t step, uint64_t now_usec) {
        uint32_t from = held->low;

        if (held->low == held->high && step < held->low)
                return behind(held, step, now_usec);
        if (step < held->low)
                return MODEL_REFUSED;
        if (step > held->high + rules->window)
                return MODEL_REFUSED;
        /* Steps further ahead are derived at the end of the instant. */
        if (held->moved_usec == now_usec)
                from = held->moved_from;
        return step >= held->high && step <= from + rules->window ? MODEL_OPENS : MODEL_EITHER;
}

ModelVerdict model_expect(const Model *model, unsigned host, unsigned sender, uint32_t index, uint32_t key,
                          uint32_t step, uint64_t now_usec) {
        const ModelView *view = &model->views[host][sender];
        const ModelHeld *held = &view->held[index];
        ModelVerdict key_there, step_there;

        if (!view->open || held->key == 0 || held->key != key)
                return MODEL_REFUSED;
        key_there = alive(rules_of(model, host), held, now_usec);
        step_there = where(rules_of(model, host), held, step, now_usec);
        if (key_there == MODEL_REFUSED || step_there == MODEL_REFUSED)
                return MODEL_REFUSED;
        return key_there == MODEL_EITHER ? MODEL_EITHER : step_there;
}

static void move(Model *model, unsigned host, ModelHeld *held, uint32_t step, uint64_t now_usec) {
        uint64_t until = now_usec + rules_of(model, host)->grace_usec;
        struct ModelMove *last = &held->moves[(held->n_moves + ELEMENTS(held->moves) - 1) % ELEMENTS(held->moves)];

        if (held->moved_usec != now_usec) {
                held->moved_usec = now_usec;
                held->moved_from = held->low;
        }
        if (step > held->low && last->until_usec == until && last->last + 1 == held->low && !last->maybe)
                last->last = step - 1; /* a row of frames, one step each */
        else if (step > held->low)
                held->moves[held->n_moves++ % ELEMENTS(held->moves)] = (struct ModelMove){
                        .first = held->low, .last = step - 1, .until_usec = until, .maybe = held->low != held->high
                };
        held->low = held->high = step;
}

void model_opened(Model *model, unsigned host, unsigned sender, uint32_t index, uint32_t step, uint64_t now_usec) {
        ModelView *view = &model->views[host][sender];
        ModelHeld *held = &view->held[index];

        view->n_opened++;
        held->good_usec = now_usec;
        if (step > held->high || held->low != held->high) {
                move(model, host, held, step, now_usec);
                if (rules_of(model, host)->shared)
                        model->floor[host][index] = MAX_OF(model->floor[host][index], lowest(model, host, index));
        }
        if (view->in_use == held->key)
                return;
        view->in_use = held->key;
        supersede(view, held->sequence, now_usec);
        /* The last frame of the instant decides which key is in use. */
        if (held->superseded_last_usec == now_usec)
                held->superseded_last_usec = 0;
}

const ModelHeld *model_held(const Model *model, unsigned host, unsigned sender, uint32_t index) {
        const ModelHeld *held = &model->views[host][sender].held[index];

        return held->key != 0 ? held : NULL;
}

uint32_t model_n_opened(const Model *model, unsigned host, unsigned sender) {
        return model->views[host][sender].n_opened;
}
