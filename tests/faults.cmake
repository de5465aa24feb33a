# What goes wrong on the network, and with the servers: through a proxy that spoils chosen requests.

pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl)
add_executable(fault-proxy ${CMAKE_CURRENT_LIST_DIR}/fault_proxy.c
    ${CMAKE_CURRENT_LIST_DIR}/fault_rules.c)
target_link_libraries(fault-proxy PRIVATE project_options PkgConfig::SSL PkgConfig::CRYPTO
    Threads::Threads)
