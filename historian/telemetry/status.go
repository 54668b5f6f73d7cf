package telemetry

import "fmt"

// Status is a full OPC UA StatusCode (Part 4 §7.39): severity in bits 31-30, sub-code in 27-16, info type in 11-10,
// limit bits in 9-8, overflow in bit 7. It is never compared with Good: 0x00000480 is a good value too.
type Status uint32

// Severity is the top two bits of a Status.
type Severity uint8

// The severities of Part 4 §7.39.1. The fourth pattern is reserved and is read as Bad.
const (
	Good Severity = iota
	Uncertain
	Bad
)

// Status codes that Kvarts itself gives (Part 6 annex A.2).
const (
	StatusGood            Status = 0
	StatusBadNoData       Status = 0x809B0000
	StatusBadOutOfRange   Status = 0x803C0000
	StatusBadTypeMismatch Status = 0x80740000
)

const (
	infoTypeMask      = 0x0C00
	infoTypeDataValue = 0x0400
	overflowBit       = 0x0080
)

// Severity of s.
func (s Status) Severity() Severity {
	if sv := Severity(s >> 30); sv <= Bad {
		return sv
	}
	return Bad
}

// IsGood says that the value may be used as it is.
func (s Status) IsGood() bool { return s.Severity() == Good }

// IsUncertain says that the value is usable with doubt.
func (s Status) IsUncertain() bool { return s.Severity() == Uncertain }

// IsBad says that the value must not be used.
func (s Status) IsBad() bool { return s.Severity() == Bad }

// IsPlainGood says that s carries no information beyond Good: such a status is written only when it changes.
func (s Status) IsPlainGood() bool { return s == StatusGood }

// Overflow says that the server's queue of the monitored item overflowed: values next to this one were lost.
// The bit counts only under info type DataValue.
func (s Status) Overflow() bool { return s&infoTypeMask == infoTypeDataValue && s&overflowBit != 0 }

// Code is s without its info bits, as found in the tables of the standard.
func (s Status) Code() Status { return s & 0xFFFF0000 }

func (sv Severity) String() string {
	switch sv {
	case Good:
		return "Good"
	case Uncertain:
		return "Uncertain"
	default:
		return "Bad"
	}
}

// String gives the severity and the code in hexadecimal: the names of all codes live with the OPC UA rooms.
func (s Status) String() string { return fmt.Sprintf("%s(0x%08X)", s.Severity(), uint32(s)) }
