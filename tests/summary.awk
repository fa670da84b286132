# Counts test cases in CTest's JUnit file and prints one plain line: "N passed, N failed" (and ", N skipped").
#
# A binary that speaks TAP counts once for each case; one that does not counts as a case of its own. A binary
# that CTest calls failed without a failed case (a crash, a leak at exit, a timeout) is one failure more, so
# that nothing is lost between the two. Names of skipped cases go to the file `skipped_file`. Exit status 1
# unless something passed and nothing failed.

/<testcase / { test = field("name"); status = field("status"); cases = 0; failed_cases = 0 }
/<skipped message="SKIP_/ { status = "skipped" }
{ sub(/^.*<system-out>/, "") }
/^ok .*# SKIP/ { cases++; skip($3); next }
/^ok / { cases++; passed++ }
/^not ok / { cases++; failed_cases++; failed++ }
/<\/testcase>/ { end_of_test() }

function field(name)
{
    return match($0, " " name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : ""
}

function skip(name)
{
    skipped++
    names = names name "\n"
}

function end_of_test()
{
    if (status == "run") {
        passed += (cases == 0)
    } else if (status == "skipped") {
        skip(test)
    } else {
        failed += (failed_cases == 0)
    }
}

END {
    printf "%s", names >skipped_file
    printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
    exit !(passed > 0 && failed == 0)
}
