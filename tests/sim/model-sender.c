/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Senders: which key and step a frame goes out under. What time does is caught up with when it is
 * asked for; a host that was asleep does at its awakening what was due meanwhile, and once.
 */
#include "tests/sim/model-internal.h"

Model *model_new(void) {
        Model *model = calloc(1, sizeof(*model));

        if (!model)
                abort();
        return model;
}

void model_free(Model *model) {
        free(model->holders);
        free(model);
}

uint32_t model_new_key(Model *model) {
        model->n_keys++;
        if (model->n_keys >= model->n_allocated) {
                model->n_allocated = model->n_allocated ? model->n_allocated * 2 : 1024;
                model->holders = reallocarray(model->holders, model->n_allocated, sizeof(*model->holders));
                if (!model->holders)
                        abort();
        }
        model->holders[model->n_keys] = 0;
        return model->n_keys;
}

uint64_t model_holders(const Model *model, uint32_t key) {
        return model->holders[key];
}

void model_note_holder(Model *model, uint32_t key, unsigned host) {
        model->holders[key] |= UINT64_C(1) << host;
}

void model_sender_start(Model *model, unsigned host, const ModelRules *rules, uint64_t now_usec) {
        model->senders[host] = (ModelSender){
                .rules = *rules,
                .awake_usec = now_usec,
                .active = MODEL_NONE,
                .planned = MODEL_NONE,
                .moving = MODEL_NONE,
                .marked_usec = USEC_INFINITY,
                .joined_due_usec = USEC_INFINITY,
        };
}

void model_sender_wake(Model *model, unsigned host, uint64_t now_usec) {
        model->senders[host].awake_usec = now_usec;
}

/* ---- what time does ---- */

static ModelSlot *active_slot(ModelSender *sender) {
        return sender->active == MODEL_NONE || sender->slots[sender->active].key == 0 ? NULL
                                                                                      : &sender->slots[sender->active];
}

static void restart(const ModelSender *sender, ModelSlot *slot, uint64_t at_usec) {
        slot->frames = 0;
        slot->step_wanted = false;
        slot->next_step_usec = sender->rules.interval_usec > 0 ? at_usec + sender->rules.interval_usec : USEC_INFINITY;
}

static void activate(Model *model, ModelSender *sender, uint32_t index, uint64_t at_usec) {
        ModelSlot *slot = &sender->slots[index];

        sender->active = index;
        sender->moving = MODEL_NONE;
        if (sender->planned == index)
                sender->planned = MODEL_NONE; /* another one that was planned meanwhile stays so */
        slot->superseded_usec = 0;
        restart(sender, slot, at_usec);
        for (unsigned i = 0; i < MODEL_RING; i++)
                if (sender->slots[i].key != 0 && sender->slots[i].sequence < slot->sequence &&
                    sender->slots[i].superseded_usec == 0)
                        sender->slots[i].superseded_usec = at_usec;
        if (sender->rules.shared)
                model_supersede(model, (unsigned)(sender - model->senders), slot->sequence, at_usec);
}

static void take_planned(Model *model, ModelSender *sender, uint64_t at_usec) {
        if (sender->planned == MODEL_NONE || sender->planned_usec > at_usec)
                return;
        if (!sender->at_key_frame) {
                activate(model, sender, sender->planned, at_usec);
                return;
        }
        sender->moving = sender->planned;
        sender->planned = MODEL_NONE;
        sender->moving_until_usec = at_usec + sender->rules.key_frame_wait_usec;
        sender->moved[MODEL_AUDIO] = sender->moved[MODEL_VIDEO] = false;
}

static void take_step(Model *model, ModelSender *sender, uint64_t at_usec) {
        ModelSlot *slot = active_slot(sender);
        const ModelRules *rules = &sender->rules;

        if (!slot)
                return;
        if (slot->next_step_usec <= at_usec) {
                slot->next_step_usec = at_usec + rules->interval_usec;
                if (slot->frames > 0 && (!rules->only_if_followed || sender->followed))
                        slot->step_wanted = true;
        }
        if ((rules->step_frames > 0 && slot->frames >= rules->step_frames) || slot->frames >= rules->send_limit / 4 * 3)
                slot->step_wanted = true;
        if (slot->step_wanted) {
                slot->step++;
                restart(sender, slot, at_usec);
        }
}

/* All that is due at one time, in the order in which a main thread's turn does it. */
static void take_turn(Model *model, ModelSender *sender, uint64_t at_usec) {
        ModelSlot *slot = active_slot(sender);

        sender->marked_usec = USEC_INFINITY;
        if (sender->joined_due_usec <= at_usec) {
                sender->joined_due_usec = USEC_INFINITY;
                sender->joined_last_usec = at_usec;
                if (slot && slot->made_here && slot->frames > 0)
                        slot->step_wanted = true;
        }
        take_planned(model, sender, at_usec);
        if (sender->moving != MODEL_NONE &&
            (sender->moving_until_usec <= at_usec || (sender->moved[MODEL_AUDIO] && sender->moved[MODEL_VIDEO])))
                activate(model, sender, sender->moving, at_usec);
        take_step(model, sender, at_usec);
}

void model_sender_turn(Model *model, unsigned host, uint64_t now_usec, bool after) {
        ModelSender *sender = &model->senders[host];

        for (;;) {
                const ModelSlot *slot = active_slot(sender);
                uint64_t due = sender->joined_due_usec;

                if (sender->planned != MODEL_NONE)
                        due = MIN_OF(due, sender->planned_usec);
                if (sender->moving != MODEL_NONE)
                        due = MIN_OF(due, sender->moving_until_usec);
                if (slot)
                        due = MIN_OF(due, slot->next_step_usec);
                if (after ? sender->marked_usec <= now_usec : sender->marked_usec < now_usec)
                        due = MIN_OF(due, sender->marked_usec);
                if (due > now_usec)
                        return;
                take_turn(model, sender, MAX_OF(due, sender->awake_usec));
        }
}

/* ---- what apps and frames do ---- */

void model_sender_install(Model *model, unsigned host, uint32_t index, uint32_t key, uint32_t step, bool made_here,
                          uint64_t now_usec) {
        ModelSender *sender = &model->senders[host];

        sender->slots[index] = (ModelSlot){
                .key = key,
                .step = step,
                .made_here = made_here,
                .installed_usec = now_usec,
                .sequence = ++model->last_sequence,
                .next_step_usec = USEC_INFINITY,
        };
        model_note_holder(model, key, host);
        if (sender->rules.shared)
                model_share(model, host, index, now_usec);
        if (sender->active == MODEL_NONE || sender->active == index)
                activate(model, sender, index, now_usec);
}

void model_sender_plan(Model *model, unsigned host, uint32_t index, uint64_t at_usec, bool at_key_frame) {
        ModelSender *sender = &model->senders[host];

        sender->planned = index;
        sender->planned_usec = at_usec;
        sender->at_key_frame = at_key_frame;
}

uint64_t model_sender_joined(Model *model, unsigned host, uint64_t now_usec) {
        ModelSender *sender = &model->senders[host];
        uint64_t coalesce = sender->rules.coalesce_usec;

        if (sender->joined_due_usec == USEC_INFINITY) {
                bool early = sender->joined_last_usec > 0 && now_usec - sender->joined_last_usec < coalesce;

                sender->joined_due_usec = early ? sender->joined_last_usec + coalesce : now_usec;
        }
        return sender->joined_due_usec;
}

void model_sender_set_followed(Model *model, unsigned host, bool followed) {
        model->senders[host].followed = followed;
}

/* Which of the two keys the stream uses while the sender goes over from one to the other. */
static uint32_t index_for(ModelSender *sender, unsigned stream, bool key_frame, uint64_t now_usec) {
        if (sender->moving == MODEL_NONE)
                return sender->active;
        if (!sender->moved[stream]) {
                if (stream == MODEL_VIDEO && !key_frame && sender->active != MODEL_NONE)
                        return sender->active;
                sender->moved[stream] = true;
                sender->marked_usec = MIN_OF(sender->marked_usec, now_usec);
        }
        return sender->moving;
}

ModelSealed model_sender_seal(Model *model, unsigned host, unsigned stream, bool key_frame, uint64_t now_usec) {
        ModelSender *sender = &model->senders[host];
        const ModelRules *rules = &sender->rules;
        uint32_t index;
        ModelSlot *slot;

        model_sender_turn(model, host, now_usec, false);
        index = index_for(sender, stream, key_frame, now_usec);
        if (index == MODEL_NONE)
                return (ModelSealed){ .allowed = false };
        slot = &sender->slots[index];
        if (slot->key == 0 || slot->frames >= rules->send_limit ||
            (rules->maximum_age_usec > 0 && now_usec >= slot->installed_usec + rules->maximum_age_usec))
                return (ModelSealed){ .allowed = false };
        slot->frames++;
        if (index == sender->active && ((rules->step_frames > 0 && slot->frames >= rules->step_frames) ||
                                        slot->frames >= rules->send_limit / 4 * 3))
                sender->marked_usec = MIN_OF(sender->marked_usec, now_usec);
        return (ModelSealed){ .allowed = true, .key = slot->key, .index = index, .step = slot->step };
}

uint32_t model_sender_active(const Model *model, unsigned host) {
        return model->senders[host].active;
}

uint32_t model_sender_next(const Model *model, unsigned host) {
        const ModelSender *sender = &model->senders[host];

        return sender->planned != MODEL_NONE ? sender->planned : sender->moving;
}

static bool lives(const ModelSender *sender, const ModelSlot *slot, uint64_t now_usec) {
        const ModelRules *rules = &sender->rules;

        if (slot->key == 0)
                return false;
        if (rules->maximum_age_usec > 0 &&
            now_usec >= slot->installed_usec + rules->maximum_age_usec + rules->grace_usec)
                return false;
        return slot->superseded_usec == 0 || now_usec < slot->superseded_usec + rules->grace_usec;
}

uint32_t model_sender_key(const Model *model, unsigned host, uint32_t index, uint64_t now_usec, uint32_t *ret_step) {
        const ModelSender *sender = &model->senders[host];

        if (index == MODEL_NONE || !lives(sender, &sender->slots[index], now_usec))
                return 0;
        *ret_step = sender->slots[index].step;
        return sender->slots[index].key;
}

uint64_t model_sender_frames(const Model *model, unsigned host) {
        const ModelSender *sender = &model->senders[host];

        return sender->active == MODEL_NONE ? 0 : sender->slots[sender->active].frames;
}

uint64_t model_sender_next_step(const Model *model, unsigned host) {
        const ModelSender *sender = &model->senders[host];

        return sender->active == MODEL_NONE ? USEC_INFINITY : sender->slots[sender->active].next_step_usec;
}

unsigned model_sender_n_keys(const Model *model, unsigned host, uint64_t now_usec) {
        const ModelSender *sender = &model->senders[host];
        unsigned n = 0;

        for (unsigned i = 0; i < MODEL_RING; i++)
                n += lives(sender, &sender->slots[i], now_usec);
        return n;
}
