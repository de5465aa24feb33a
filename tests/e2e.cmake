# End to end: the programs against a real S3 server and the backend's stand-in.

# An S3 server that takes the bytes and throws them away: for what is about memory, and about what is
# sent how often.
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl)
add_executable(sink ${CMAKE_CURRENT_LIST_DIR}/sink.c)
target_link_libraries(sink PRIVATE project_options PkgConfig::SSL PkgConfig::CRYPTO
    Threads::Threads)

# A slow line, for scripts/bench.
add_executable(shaped-link ${CMAKE_CURRENT_LIST_DIR}/shaped_link.c)
target_link_libraries(shaped-link PRIVATE project_options)

function(add_e2e_test name)
    add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${name}.sh ${ARGN})
    set(environment "E2E_BUILD=${CMAKE_BINARY_DIR}")
    if(SANITIZE)
        list(APPEND environment SANITIZED=1)
    endif()
    # They wait more than they compute, and each has a bucket and ports of its own: several run
    # beside each other. COST, here and elsewhere, is roughly their seconds: the longest begin first.
    set_tests_properties(${name} PROPERTIES LABELS e2e TIMEOUT 900 ENVIRONMENT "${environment}"
        COST 30 SKIP_RETURN_CODE 77)
endfunction()

add_e2e_test(e2e_server start)
set_tests_properties(e2e_server PROPERTIES FIXTURES_SETUP e2e_server COST 1000)
add_test(NAME e2e_server_stop COMMAND ${CMAKE_CURRENT_LIST_DIR}/e2e_server.sh stop)
set_tests_properties(e2e_server_stop PROPERTIES LABELS e2e TIMEOUT 60
    ENVIRONMENT "E2E_BUILD=${CMAKE_BINARY_DIR}" FIXTURES_CLEANUP e2e_server)

foreach(name e2e_files e2e_names e2e_local e2e_faults e2e_notice e2e_resume e2e_memory e2e_check
        e2e_commands)
    add_e2e_test(${name})
    set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED e2e_server)
endforeach()
set_tests_properties(e2e_files e2e_resume e2e_memory PROPERTIES COST 60)

add_e2e_test(e2e_watcher)
set_tests_properties(e2e_watcher PROPERTIES FIXTURES_REQUIRED e2e_server COST 250)
add_e2e_test(e2e_watcher_idle)
set_tests_properties(e2e_watcher_idle PROPERTIES LABELS "e2e;watcher" FIXTURES_REQUIRED e2e_server
    RESOURCE_LOCK watcher_sweep)
add_e2e_test(watcher_sweep)
set_tests_properties(watcher_sweep PROPERTIES LABELS watcher FIXTURES_REQUIRED e2e_server COST 100
    RESOURCE_LOCK watcher_sweep)
