# SPDX-License-Identifier: LGPL-2.1-or-later
# fish completion for framekeyctl(1). The tool itself says what can stand where; names come from the daemon.

function __framekeyctl_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --current-token --cut-at-cursor | string unescape)
    set -l lines (framekeyctl __complete $words[2..-1] "$current" 2>/dev/null)
    # "--option=" stays in front of what its value can be.
    set -l head (string match --regex -- '^--[^=]*=' $current)
    set -l value (string replace --regex -- '^--[^=]*=' '' "$current")

    switch "$lines[1]"
        case :files
            for path in (__fish_complete_path "$value")
                printf '%s\n' "$head$path"
            end
        case :directories
            for path in (__fish_complete_directories "$value")
                printf '%s\n' "$head$path"
            end
        case :hosts
            for host in (__fish_print_hostnames)
                printf '%s\n' "$head$host"
            end
        case :words
            printf '%s\n' $lines[2..-1]
    end
end

complete --command framekeyctl --no-files --arguments '(__framekeyctl_complete)'
