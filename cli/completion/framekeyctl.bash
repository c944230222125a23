# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for framekeyctl(1). Sessions and participants are asked from the daemon.

# The bus options of the line so far, so that names come from the daemon the command is for.
_framekeyctl_ask() {
        local -a bus=()
        local i
        for ((i = 1; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                --system | --user) bus+=("${COMP_WORDS[i]}") ;;
                --address | --host | --machine)
                        # "=" is a word of its own to readline.
                        [[ ${COMP_WORDS[i + 1]} == '=' ]] && bus+=("${COMP_WORDS[i]}=${COMP_WORDS[i + 2]}") ||
                                bus+=("${COMP_WORDS[i]}=${COMP_WORDS[i + 1]}")
                        ;;
                -H | -M) bus+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}") ;;
                esac
        done
        framekeyctl "${bus[@]}" --json=off --no-legend "$@" 2>/dev/null
}

_framekeyctl_sessions() {
        _framekeyctl_ask list | cut -d ' ' -f 1
}

_framekeyctl_presets() {
        _framekeyctl_ask presets | cut -d ' ' -f 1
}

# SFrame's: the others are not chosen by name.
_framekeyctl_suites() {
        _framekeyctl_ask status | sed -n 's/^ *Ciphers: *//p' | tr -d , | tr ' ' '\n' | grep SHA
}

# Between the first two empty lines of `show` stands a participant a line.
_framekeyctl_participants() {
        _framekeyctl_ask show "$1" | sed '1,/^$/d; /^$/,$d' | cut -d ' ' -f 1
}

_framekeyctl() {
        local cur prev words cword split
        _init_completion -s 2>/dev/null || return

        local common='--system --user --address= --host= --machine= --json= --quiet --no-pager --no-legend --help
                --version -H -M -j -q -h'
        local derivation='--kid= --ssrc= --replace --user-id= --kdf= --salt= --iterations= --key-bits= --option= -o'
        local -A options=(
                [import]="--key-index= --step= --activate $derivation"
                [activate]='--key-index= --after-usec= --at-key-frame'
                [retire]='--key-index='
                [ratchet]='--key-index= --reason= --all'
                [rotate]='--reason= --all'
                [revoke]='--reason=' [close]='--reason=' [lock]='--reason=' [unlock]='--reason='
                [encrypt]="--profile= --key-file= --key-fd= --no-key --events --participant= --key-index= --step= --window=
                        --ring-size= --suite= --ratchet-bits= --mls= --member= --context= --metadata-hex=
                        --allow-unencrypted= $derivation"
                [status]='' [list]='' [show]='' [presets]='' [monitor]='' [stats]='' [transport-key]='' [demo]=''
        )
        options[decrypt]=${options[encrypt]}

        case $prev in
        --json) COMPREPLY=($(compgen -W 'short pretty off' -- "$cur")) && return ;;
        --kdf) COMPREPLY=($(compgen -W 'pbkdf2 hkdf' -- "$cur")) && return ;;
        --allow-unencrypted) COMPREPLY=($(compgen -W 'silence all' -- "$cur")) && return ;;
        --suite) COMPREPLY=($(compgen -W "$(_framekeyctl_suites)" -- "$cur")) && return ;;
        --key-bits) COMPREPLY=($(compgen -W '128 256' -- "$cur")) && return ;;
        --profile) COMPREPLY=($(compgen -W "$(_framekeyctl_presets)" -- "$cur")) && return ;;
        --key-file) _filedir && return ;;
        --host | -H) _known_hosts_real -- "$cur" && return ;;
        --machine | -M)
                COMPREPLY=($(compgen -W "$(machinectl list --no-legend 2>/dev/null | cut -d ' ' -f 1)" -- "$cur"))
                return
                ;;
        --address | --key-fd | --participant | --key-index | --after-usec | --step | --window | --ring-size | --salt | --iterations | \
                --ratchet-bits | --mls | --member | --context | --metadata-hex | --kid | --ssrc | --user-id | --option | -o | \
                --reason) return ;;
        esac
        $split && return

        # The verb, and what stands behind it without a dash.
        local verb='' i
        local -a arguments=()
        for ((i = 1; i < cword; i++)); do
                case ${words[i]} in
                -H | -M | -o | --address | --host | --machine | --json) [[ ${words[i]} == *=* ]] || ((i++)) ;;
                -*) ;;
                *) if [[ $verb ]]; then arguments+=("${words[i]}"); else verb=${words[i]}; fi ;;
                esac
        done

        if [[ $cur == -* ]]; then
                COMPREPLY=($(compgen -W "$common ${verb:+${options[$verb]}}" -- "$cur"))
                [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
        elif [[ ! $verb ]]; then
                COMPREPLY=($(compgen -W "${!options[*]}" -- "$cur"))
        else
                case $verb:${#arguments[@]} in
                show:0 | monitor:0 | stats:0 | import:0 | activate:0 | ratchet:0 | rotate:0 | retire:0 | revoke:0 | close:0)
                        COMPREPLY=($(compgen -W "$(_framekeyctl_sessions)" -- "$cur"))
                        ;;
                stats:1 | import:1 | activate:1 | ratchet:1 | rotate:1 | retire:1 | revoke:1)
                        COMPREPLY=($(compgen -W "$(_framekeyctl_participants "${arguments[0]}")" -- "$cur"))
                        ;;
                esac
        fi
}
complete -F _framekeyctl framekeyctl
