# What goes wrong on the network, and with the servers: through a proxy that spoils chosen requests.

pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl)
add_executable(fault-proxy ${CMAKE_CURRENT_LIST_DIR}/fault_proxy.c
    ${CMAKE_CURRENT_LIST_DIR}/fault_peer.c ${CMAKE_CURRENT_LIST_DIR}/fault_reply.c
    ${CMAKE_CURRENT_LIST_DIR}/fault_rules.c)
target_link_libraries(fault-proxy PRIVATE project_options PkgConfig::SSL PkgConfig::CRYPTO
    Threads::Threads)

function(add_fault_test name)
    add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${name}.sh)
    set(environment "E2E_BUILD=${CMAKE_BINARY_DIR}")
    if(SANITIZE)
        list(APPEND environment SANITIZED=1)
    endif()
    set_tests_properties(${name} PROPERTIES LABELS fault TIMEOUT 900
        ENVIRONMENT "${environment}" COST 100 SKIP_RETURN_CODE 77
        FIXTURES_REQUIRED e2e_server)
endfunction()

add_fault_test(fault_sweep)
add_fault_test(endurance)
