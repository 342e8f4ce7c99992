/** Fish takes candidates as they are printed, with a tab before what they mean. */
export const FISH = `# golem: completion for fish. Put this into ~/.config/fish/config.fish: golem completion fish | source
function __golem_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :open
            case '*'
                echo $line
        end
    end
end
complete -c golem -f -a '(__golem_complete)'
`;
