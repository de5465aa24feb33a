# Pressure on the machine, security, and one run under valgrind.

add_library(swap-at MODULE ${CMAKE_CURRENT_LIST_DIR}/swap_at.c)
target_compile_definitions(swap-at PRIVATE _GNU_SOURCE)
# Not project_options: a preloaded library is no program, and never has the sanitizers in it.
target_compile_options(swap-at PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wformat=2 $<$<BOOL:${WARNINGS_ARE_ERRORS}>:-Werror>)
set_target_properties(swap-at PROPERTIES PREFIX "")

function(add_pressure_test name label)
    add_e2e_test(${name})
    set_tests_properties(${name} PROPERTIES LABELS ${label} FIXTURES_REQUIRED e2e_server COST 90)
endfunction()

add_pressure_test(e2e_pressure pressure)
add_pressure_test(e2e_security security)
if(NOT SANITIZE) # of which valgrind knows nothing
    add_pressure_test(valgrind valgrind)
endif()
