/** An empty word is passed in quotes, as PowerShell leaves it out otherwise. */
export const POWERSHELL = `# golem: completion for PowerShell. Put this into $PROFILE:
#   golem completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName golem -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { $_.ToString() })
    $last = if ($wordToComplete) { $wordToComplete } else { '""' }
    & golem __complete @words $last 2>$null | Where-Object { -not $_.StartsWith(':') } |
        ForEach-Object {
            $text, $summary = $_ -split "\`t", 2
            if (-not $summary) { $summary = $text }
            [System.Management.Automation.CompletionResult]::new($text, $text, 'ParameterValue', $summary)
        }
}
`;
