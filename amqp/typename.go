package amqp

import "fmt"

// TypeName returns RabbitMQ's name for the type of a field value, as in
// "invalid type 'longstr' for arg …".
func TypeName(v any) string {
	switch v.(type) {
	case nil:
		return "void"
	case bool:
		return "bool"
	case int8:
		return "byte"
	case uint8:
		return "unsignedbyte"
	case int16:
		return "short"
	case uint16:
		return "unsignedshort"
	case int32:
		return "signedint"
	case uint32:
		return "unsignedint"
	case int64, int:
		return "long"
	case float32:
		return "float"
	case float64:
		return "double"
	case Decimal:
		return "decimal"
	case string:
		return "longstr"
	case []byte:
		return "binary"
	case Array:
		return "array"
	case Table:
		return "table"
	case Timestamp:
		return "timestamp"
	}
	return fmt.Sprintf("%T", v)
}
