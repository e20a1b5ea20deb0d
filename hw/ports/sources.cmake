# SPDX-License-Identifier: Apache-2.0
set(PORTS_SOURCES ports/at_initiator.cpp ports/at_target.cpp ports/systemc.cpp ports/transfer.cpp)
