/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See the header. */
#include "channel/seats.h"

static Account *find_account(const Seats *seats, uint32_t id) {
        for (size_t i = 0; i < seats->n_accounts; i++)
                if (seats->accounts[i]->id == id)
                        return seats->accounts[i];
        return NULL;
}

static Account *open_account(Seats *seats, uint32_t id) {
        Account **accounts = reallocarray(seats->accounts, seats->n_accounts + 1, sizeof(Account *));
        Account *account;

        if (!accounts)
                return NULL;
        seats->accounts = accounts;
        account = calloc(1, sizeof(*account));
        if (!account)
                return NULL;
        account->id = id;
        accounts[seats->n_accounts++] = account;
        return account;
}

static void close_account(Seats *seats, const Account *account) {
        for (size_t i = 0; i < seats->n_accounts; i++)
                if (seats->accounts[i] == account) {
                        seats->accounts[i] = seats->accounts[--seats->n_accounts];
                        break;
                }
}

/* Room for one more among the hot ones, so that heating never fails. */
static int enter(Account *account) {
        uint32_t *hot = reallocarray(account->hot, account->n_seats + 1, sizeof(*hot));

        if (!hot)
                return -ENOMEM;
        account->hot = hot;
        account->n_seats++;
        return 0;
}

static void leave(Seats *seats, Account *account) {
        if (account->n_seats > 0 && --account->n_seats > 0)
                return;
        close_account(seats, account);
        free(account->hot);
        free(account);
}

static int find_free(Seats *seats, size_t *ret) {
        size_t n = seats->n ? seats->n * 2 : 8;
        Seat *more;

        for (size_t i = 0; i < seats->n; i++)
                if (!seats->seats[i].channel) {
                        *ret = i;
                        return 0;
                }
        more = reallocarray(seats->seats, n, sizeof(*more));
        if (!more)
                return -ENOMEM;
        memset(more + seats->n, 0, (n - seats->n) * sizeof(*more));
        *ret = seats->n;
        seats->seats = more;
        seats->n = n;
        return 0;
}

int seats_take(Seats *seats, Channel *channel, uint32_t account_id, size_t *ret) {
        Account *account = find_account(seats, account_id);
        Seat *seat;
        int r;

        r = find_free(seats, ret);
        if (r < 0)
                return r;
        if (!account)
                account = open_account(seats, account_id);
        if (!account)
                return -ENOMEM;
        r = enter(account);
        if (r < 0) {
                if (account->n_seats == 0)
                        leave(seats, account);
                return r;
        }
        seat = &seats->seats[*ret];
        *seat = (Seat){
                .channel = channel, .account = account, .use = (seat->use + 1) & 0x3fffffff, .hot_at = SEAT_COLD
        };
        return 0;
}

void seats_leave(Seats *seats, Seat *seat) {
        seats_cool(seats, seat);
        leave(seats, seat->account);
        seat->account = NULL;
        seat->channel = NULL;
}

void seats_heat(Seats *seats, Seat *seat) {
        Account *account = seat->account;

        if (seat->hot_at != SEAT_COLD)
                return;
        seat->hot_at = account->n_hot;
        account->hot[account->n_hot++] = (uint32_t)(seat - seats->seats);
        seats->n_hot++;
}

void seats_cool(Seats *seats, Seat *seat) {
        Account *account = seat->account;
        uint32_t last;

        if (seat->hot_at == SEAT_COLD)
                return;
        last = account->hot[--account->n_hot];
        account->hot[seat->hot_at] = last;
        seats->seats[last].hot_at = seat->hot_at;
        seat->hot_at = SEAT_COLD;
        seats->n_hot--;
}

Seat *seats_next(Seats *seats, Account *account) {
        if (account->next == 0 || account->next > account->n_hot)
                account->next = account->n_hot;
        return &seats->seats[account->hot[--account->next]];
}

const Seat *seats_ahead(const Seats *seats, const Account *account, unsigned ahead) {
        return account->next >= ahead ? &seats->seats[account->hot[account->next - ahead]] : NULL;
}

void seats_deinit(Seats *seats) {
        for (size_t i = 0; i < seats->n_accounts; i++) {
                free(seats->accounts[i]->hot);
                free(seats->accounts[i]);
        }
        free(seats->accounts);
        free(seats->seats);
}
