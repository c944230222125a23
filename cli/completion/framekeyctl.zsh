#compdef framekeyctl
# SPDX-License-Identifier: LGPL-2.1-or-later
# zsh completion for framekeyctl(1). The tool itself says what can stand where; names come from the daemon.

_framekeyctl() {
        local -a lines values texts open open_texts
        local kind line value

        # Up to the cursor, without quotes.
        lines=("${(@f)$(framekeyctl __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
        kind=$lines[1]
        shift lines
        # What is behind "=" is a word of its own from here on.
        [[ $PREFIX == --*=* ]] && compset -P '*='
        case $kind in
        :files) _files ;;
        :directories) _files -/ ;;
        :hosts) _hosts ;;
        :words)
                for line in $lines; do
                        value=${line%%$'\t'*}
                        [[ -n $IPREFIX ]] && value=${value#*=}
                        [[ $line == *$'\t'* ]] && line="$value -- ${line#*$'\t'}" || line=$value
                        if [[ $value == --*= ]]; then
                                open+=("$value") open_texts+=("$line")
                        else
                                values+=("$value") texts+=("$line")
                        fi
                done
                # Options that need a value get no space behind them.
                compadd -l -d texts -a values
                compadd -l -S '' -d open_texts -a open
                (( $#values + $#open ))
                ;;
        *) return 1 ;;
        esac
}

_framekeyctl "$@"
